"""The token of a Ray cluster, and a Ray that cannot be loaded."""

from functools import partial
from pathlib import Path

import pytest

from agent.errors import ConfigurationError
from agent.pool.engines.ray.access import access, is_refused, refusal
from agent.pool.engines.ray.engine import RayEngine
from tests.pool.counting_analyser import CountingAnalyser
from tests.pool.engines.local_run import items_of, store_of


def test_each_ray_that_is_started_here_has_a_token_of_its_own() -> None:
    one, other = access(""), access("")

    assert one["RAY_AUTH_MODE"] == "token"
    assert len(one["RAY_AUTH_TOKEN"]) == 64
    assert one != other


def test_for_a_cluster_what_the_user_has_set_counts() -> None:
    assert access("10.0.0.5:6379") == {}


def test_a_cluster_that_asks_for_a_token_is_told_from_one_that_is_down() -> None:
    """Ray says `Failed to connect`, and the reason as the cause of the cause."""
    refused = ConnectionError("Failed to connect to Ray cluster at 10.0.0.5:6379")
    refused.__cause__ = RuntimeError("failed")
    assert not is_refused(refused)

    refused.__cause__.__cause__ = RuntimeError("RPC error: InvalidAuthToken: missing or incorrect")
    assert is_refused(refused)
    assert "set RAY_AUTH_MODE=token" in refusal("10.0.0.5:6379", refused)


def test_a_token_that_is_asked_for_by_the_environment_alone_is_told_apart() -> None:
    """Ray 2.60 says so before it connects; a cluster without tokens would take any call."""
    error = RuntimeError(
        "Token authentication is enabled but no authentication token was found. Ensure that ..."
    )

    told = refusal("10.0.0.5:6379", error)

    assert "RAY_AUTH_MODE=token is set, and there is no token here" in told
    assert "unset RAY_AUTH_MODE" in told


def test_a_ray_that_cannot_be_loaded_is_named_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("raise OSError('no _raylet.so for this CPU')\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ConfigurationError) as error:
        RayEngine().run(
            items_of(["/i/1"]),
            partial(CountingAnalyser, tmp_path / "decoded", 0.0),
            partial(store_of, tmp_path),
            lambda _: None,
        )

    assert "cannot load Ray: no _raylet.so for this CPU; install it again" in str(error.value)
    assert "'edge-capture-agent[pool]'" in str(error.value)
