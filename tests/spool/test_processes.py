"""One owner per spool, what other processes see of it, and what remains after a kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.domain import Lane
from agent.errors import ConfigurationError, TemporaryError
from agent.spool.lock import Owner
from agent.spool.status import read_status
from tests import ROOT
from tests.fakes.captures import FIRST_CAPTURE_MS, new_capture
from tests.spool.small_file_system import skip_or_fail
from tests.spool.spool_builders import claimable, counts_add_up, open_real

NOW = FIRST_CAPTURE_MS / 1000 + 60


@contextmanager
def _writer(root: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.spool.writer_process", str(root)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout
    return [process.stdout.readline().strip() for _ in range(count)]


def test_all_stored_captures_are_there_after_a_kill(tmp_path: Path) -> None:
    with _writer(tmp_path / "spool") as process:
        reported = _lines(process, 60)
        process.send_signal(signal.SIGKILL)
        assert process.stdout
        reported += [line.strip() for line in process.stdout if line.endswith("\n")]

    with open_real(tmp_path / "spool") as spool:
        assert set(reported) <= claimable(spool).keys()
        assert counts_add_up(spool)


def test_a_second_process_is_refused_with_the_id_of_the_owner(tmp_path: Path) -> None:
    with _writer(tmp_path / "spool") as process:
        _lines(process, 1)

        with (
            pytest.raises(TemporaryError, match=rf"process {process.pid}\) owns it"),
            open_real(tmp_path / "spool"),
        ):
            pass


def test_others_see_what_a_working_spool_holds(tmp_path: Path) -> None:
    with _writer(tmp_path / "spool") as process:
        _lines(process, 30)
        looks = [read_status(tmp_path / "spool", now=NOW) for _ in range(20)]
        _lines(process, 3)

        assert {status.owner for status in looks} == {Owner(process.pid, is_daemon=False)}
        waiting = [status.waiting for status in looks]
        assert waiting == sorted(waiting)
        assert waiting[0] >= 30
        assert all(one.stored == one.waiting for one in looks)
        process.send_signal(signal.SIGKILL)
        process.wait()
        status = read_status(tmp_path / "spool", now=NOW)

    assert status.owner is None
    assert status.waiting >= waiting[-1]
    with open_real(tmp_path / "spool") as spool:
        assert spool.waiting() >= status.waiting


def test_a_missing_spool_is_empty(tmp_path: Path) -> None:
    status = read_status(tmp_path / "nothing", now=NOW)

    assert (status.waiting, status.stored, status.owner, status.occupied) == (0, 0, None, 0)
    assert not (tmp_path / "nothing").exists()


def test_the_status_counts_everything(tmp_path: Path) -> None:
    with open_real(tmp_path / "spool") as spool:
        spool.put(
            [new_capture(1, lane=Lane.REQUESTED), *(new_capture(n, size=5000) for n in range(2, 6))]
        )
        for end in (spool.acknowledge, spool.reject):
            capture = spool.claim()
            assert capture
            end(capture.id)
        status = read_status(tmp_path / "spool", now=NOW)

        assert status.owner == Owner(os.getpid(), is_daemon=False)
        assert (status.waiting, status.waiting_bytes) == (3, 3 * 8192)
        assert (status.stored, status.delivered, status.rejected, status.evicted) == (5, 1, 1, 0)
        assert status.oldest_waiting == pytest.approx((FIRST_CAPTURE_MS + 3) / 1000)
        assert status.last_delivered == pytest.approx(NOW)
        assert status.recent_bytes_per_hour == 3 * 8192
        assert status.occupied > 4_000_000
    assert read_status(tmp_path / "spool", now=NOW + 7200).recent_bytes_per_hour == 0


def test_a_spool_of_another_user_is_refused_with_both_names(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        skip_or_fail("only root can give a folder away")
    root = tmp_path / "spool"
    root.mkdir()
    os.chown(root, 65_534, 65_534)

    with (
        pytest.raises(
            ConfigurationError, match=r"belongs to nobody, and this process runs as root"
        ),
        open_real(root),
    ):
        pass


@pytest.mark.parametrize("inside", ["", "cache", "cache/records", "rejected"])
def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path, inside: str) -> None:
    root = tmp_path / "spool"
    path = root / inside
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")

    with pytest.raises(ConfigurationError, match=r"is not a folder"), open_real(root):
        pass


def test_an_existing_folder_becomes_private(tmp_path: Path) -> None:
    root = tmp_path / "spool"
    root.mkdir(mode=0o755)

    with open_real(root):
        assert root.stat().st_mode & 0o777 == 0o700


def test_a_capture_with_an_unreadable_file_name_is_refused(tmp_path: Path) -> None:
    with (
        open_real(tmp_path / "spool") as spool,
        pytest.raises(ValueError, match="could not read this file name"),
    ):
        spool.put([new_capture(1, value=1000.5)])
