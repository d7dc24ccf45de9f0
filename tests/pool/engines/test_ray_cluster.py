"""Ray on one machine: what it says when it does not start, and that it leaves nothing behind."""

from pathlib import Path
from typing import Any

import pytest
import ray

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.engines.ray import cluster

pytestmark = pytest.mark.slow  # Ray takes a second to import


@pytest.mark.parametrize(
    "error",
    [
        Exception("The current node timed out during startup."),
        ConnectionError("no answer"),
        TimeoutError(),
        RuntimeError("Failed to start GCS"),
    ],
)
def test_a_start_that_fails_is_tried_again_and_leaves_no_folder(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No address was given, so none is spoken of. Ray raises plain exceptions on a busy machine."""
    folders = []

    def init(_temp_dir: str, **_options: Any) -> None:
        folders.append(Path(_temp_dir))
        (folders[0] / "session").mkdir(parents=True)
        raise error

    monkeypatch.setattr(ray, "init", init)

    with pytest.raises(TemporaryError) as raised, cluster.connected("", 1, 0):
        pass

    message = str(raised.value)
    assert message.startswith(f"cannot start Ray on this machine: {str(error).rstrip('.')}")
    assert message.endswith("use --engine local")
    assert "address" not in message
    assert not folders[0].parent.exists()


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "127.0.0.1:0", ":6379", "a b:6379/x"])
def test_an_address_that_cannot_be_one_is_refused(address: str) -> None:
    with (
        pytest.raises(ConfigurationError, match="must be HOST:PORT"),
        cluster.connected(address, 1, 0),
    ):
        pass


def test_its_folder_is_private_and_removed_after_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray opens the folder that it is given to all users."""
    folders = []

    def init(_temp_dir: str, **_options: Any) -> None:
        folders.append(Path(_temp_dir))
        folders[0].mkdir()
        folders[0].chmod(0o777)

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setenv("RAY_TMPDIR", "/a folder/that is/much too long/for sockets")

    with cluster.connected("", 1, 0):
        assert folders[0].parent.stat().st_mode & 0o777 == 0o700
        assert len(str(folders[0])) < 45

    assert not folders[0].parent.exists()


def test_a_place_that_cannot_be_written_to_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/no such folder")

    with (
        pytest.raises(ConfigurationError, match="make a folder in /no such folder: No such file"),
        cluster.connected("", 1, 0),
    ):
        pass
