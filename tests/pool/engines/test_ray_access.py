"""The token of a Ray cluster: found where `ray start` leaves it, and never left anywhere."""

from pathlib import Path

import pytest

from agent.pool.engines.ray.access import access


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_each_ray_that_is_started_here_has_a_token_of_its_own() -> None:
    one, other = access(""), access("")

    assert one["RAY_AUTH_MODE"] == "token"
    assert len(one["RAY_AUTH_TOKEN"]) == 64
    assert one != other


def test_the_token_of_this_machine_is_used_for_a_cluster(home: Path) -> None:
    """Ray itself uses it only where no address is given."""
    assert access("10.0.0.5:6379") == {}

    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("0" * 64)

    assert access("10.0.0.5:6379") == {"RAY_AUTH_MODE": "token"}


def test_what_the_user_has_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/etc/ray-token")
    assert access("10.0.0.5:6379") == {"RAY_AUTH_MODE": "token"}

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert access("10.0.0.5:6379") == {}
