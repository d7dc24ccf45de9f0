"""A disk that is full or read-only before anything starts: the way out, and a start that waits."""

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.command import NEVER_ENDS, Daemon, assert_law, call, clip, here, status
from tests.end_to_end.endpoint import LocalEndpoint
from tests.spool.small_file_system import SmallFileSystem, mounted

FEW = {
    "AGENT_CAMERAS": f"street={clip()}",
    "AGENT_FPS": 2,
    "AGENT_EVERY_NTH_FRAME": 1,
    "AGENT_MAX_SIDE": 320,
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose spool holds the captures of a clip."""
    folder = tmp_path_factory.mktemp("filled")
    assert call(folder, "run", **FEW).returncode == 0
    return folder


@pytest.fixture
def card(filled: Path, tmp_path: Path) -> Iterator[SmallFileSystem]:
    """A small ext4 with a copy of that spool."""
    with mounted("ext4", tmp_path) as small:
        shutil.copytree(filled / "spool", small.root / "spool")
        yield small


def _fill(card: SmallFileSystem) -> None:
    (card.root / "spool" / "reserve").unlink()
    card.fill()


def _ids(folder: Path) -> set[str]:
    return {file.stem for file in folder.glob("records/*.json")}


@pytest.mark.slow
def test_captures_leave_a_read_only_card(
    card: SmallFileSystem, tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint()
    spool = {"AGENT_SPOOL_DIR": card.root / "spool"}
    card.remount("ro")
    before = status(tmp_path, **spool)

    copied = call(tmp_path, "export", "stick", **spool)
    assert copied.returncode == 0, copied.stderr
    assert "read-only" in copied.stderr
    assert len(_ids(tmp_path / "stick")) == before["waiting"]

    again = call(tmp_path, "export", "stick", "--acknowledge", **spool)
    assert again.returncode == 75
    assert f"{before['waiting']} of {before['waiting']} captures are in stick" in again.stderr

    for _ in range(2):
        sent = call(tmp_path, "flush", AGENT_UPLOAD_URL=receiver.url, **spool)
        assert sent.returncode == 0, sent.stderr
        assert "read-only" in sent.stderr
        assert receiver.records.keys() == _ids(tmp_path / "stick")
    after = status(tmp_path, **spool)
    assert {name: after[name] for name in ("waiting", "stored", "delivered")} == {
        "waiting": before["waiting"],
        "stored": before["waiting"],
        "delivered": 0,
    }
    for result in (copied, again, sent):
        assert "Traceback" not in result.stderr


def test_a_budget_is_kept_however_often_a_read_only_card_is_flushed(
    card: SmallFileSystem, tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint()
    card.remount("ro")

    for _ in range(2):
        sent = call(
            tmp_path,
            "flush",
            AGENT_SPOOL_DIR=card.root / "spool",
            AGENT_UPLOAD_URL=receiver.url,
            AGENT_BUDGET_PER_DAY=3,
        )
        assert sent.returncode == 75
        assert "no credit is left" in sent.stderr
    assert len(receiver.records) == 0


def test_captures_leave_a_full_card(card: SmallFileSystem, tmp_path: Path) -> None:
    spool = {"AGENT_SPOOL_DIR": card.root / "spool"}
    before = status(tmp_path, **spool)
    _fill(card)

    assert status(tmp_path, **spool)["waiting"] == before["waiting"]
    result = here(tmp_path, "export", "stick", "--acknowledge", **spool)

    assert result.returncode == 0, result.stderr
    assert len(_ids(tmp_path / "stick")) == before["waiting"]
    after = status(tmp_path, **spool)
    assert after["waiting"] == 0
    assert_law(after)


def test_a_full_card_is_flushed(
    card: SmallFileSystem, tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint()
    spool = {"AGENT_SPOOL_DIR": card.root / "spool"}
    before = status(tmp_path, **spool)
    _fill(card)

    result = call(tmp_path, "flush", AGENT_UPLOAD_URL=receiver.url, **spool)

    assert result.returncode == 0, result.stderr
    after = status(tmp_path, **spool)
    assert after["delivered"] == len(receiver.records) >= before["waiting"] / 2
    assert after["waiting"] == 0
    assert_law(after)


@pytest.mark.parametrize("cause", ["full", "read-only"])
def test_a_daemon_waits_for_a_disk_that_refuses_at_start(cause: str, tmp_path: Path) -> None:
    with mounted("ext4", tmp_path) as card:
        if cause == "full":
            card.fill()
        else:
            card.remount("ro")
        settings = {
            **FEW,
            "AGENT_CAMERAS": f"street={clip()} {NEVER_ENDS}",
            "AGENT_SPOOL_DIR": card.root / "spool",
        }
        with Daemon(tmp_path, **settings) as daemon:
            refused = daemon.wait_for("spool unavailable")
            assert cause in refused["error"]
            assert daemon.process.poll() is None
            if cause == "full":
                card.make_room()
            else:
                card.remount("rw")
            daemon.wait_for("capture stored")
            assert len(daemon.events("spool unavailable")) == 1
            assert len(daemon.events("spool available")) == 1
            daemon.signal(signal.SIGTERM)
            assert daemon.ends() == 0, daemon.text


def test_a_daemon_that_waits_for_its_disk_stops_when_asked(tmp_path: Path) -> None:
    with mounted("ext4", tmp_path) as card:
        card.remount("ro")
        with Daemon(tmp_path, **FEW, AGENT_SPOOL_DIR=card.root / "spool") as daemon:
            daemon.wait_for("spool unavailable")
            daemon.signal(signal.SIGTERM)
            assert daemon.ends() == 0
