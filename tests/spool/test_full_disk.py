"""Full and read-only disks, on real file systems: nothing is lost, and work continues."""

import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.domain import Lane
from agent.errors import SpoolUnavailable
from agent.files import Disk
from agent.selection.budget.ledger import DAY_S
from agent.spool.index import JOURNAL_BYTES
from agent.spool.index_reading import DATABASE
from agent.spool.layout import RESERVE_BYTES, SpoolPaths
from agent.spool.ledger_file import LedgerFile
from agent.spool.spool import Spool
from agent.spool.status import read_status
from tests.fakes.captures import new_capture
from tests.selection.budgeted_spool import capture_of_scene, clock_at_midnight, spool_at
from tests.spool.small_file_system import SIZE, SmallFileSystem, mounted
from tests.spool.spool_builders import claimable, counts_add_up, open_real


@pytest.fixture(params=["tmpfs", "ext4"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallFileSystem]:
    with mounted(request.param, tmp_path) as system:
        yield system


def _put(spool: Spool, numbers: range) -> set[str]:
    """Put captures of 100 kB with rising values; return the ids that were kept."""
    kept = set()
    for number in numbers:
        stored = spool.put([new_capture(number, value=number / 1000, size=100_000)])
        kept |= {entry.id for entry in stored.kept}
    return kept


def test_the_spool_evicts_the_least_valuable_on_a_disk_it_filled(
    small: SmallFileSystem,
) -> None:
    log = io.StringIO()
    with open_real(small.root / "spool", limit=10 * SIZE, log=log) as spool:
        _put(spool, range(1, 300))
        waiting = claimable(spool)

        assert len(waiting) > 50
        assert waiting.keys() == {new_capture(n).id for n in range(300 - len(waiting), 300)}
        assert spool.counts()["evicted/disk_full"] == 299 - len(waiting)
        assert counts_add_up(spool)
        assert small.free() >= 0.8 * RESERVE_BYTES
        assert log.getvalue().count('"disk full"') == 1
        assert claimable(spool) == waiting


def test_min_free_bytes_are_left_for_others(small: SmallFileSystem) -> None:
    with open_real(small.root / "spool", limit=10 * SIZE, min_free=8_000_000) as spool:
        _put(spool, range(1, 200))

        assert small.free() >= 7_900_000
        assert spool.counts()["evicted/min_free"] > 0


def test_a_disk_that_others_filled_still_replaces_drains_and_stores_later(
    small: SmallFileSystem,
) -> None:
    log = io.StringIO()
    with open_real(small.root / "spool", log=log) as spool:
        _put(spool, range(1, 21))
        small.fill()

        better = _put(spool, range(21, 26))
        assert len(better) == 5
        assert spool.waiting() == 20
        worse = spool.put([new_capture(900, value=0.0, size=100_000)])
        assert worse.kept == ()

        small.fill()
        while capture := spool.claim():
            spool.acknowledge(capture.id)
        assert spool.waiting() == 0
        assert spool.counts()["delivered"] == 20

        small.make_room()
        assert len(_put(spool, range(30, 40))) == 10
        assert (small.root / "spool" / "reserve").stat().st_size == RESERVE_BYTES
        assert counts_add_up(spool)
        assert [line.count('event="spool available"') for line in log.getvalue().splitlines()][-1]


def test_a_put_without_free_bytes_changes_nothing_and_works_later(small: SmallFileSystem) -> None:
    with open_real(small.root / "spool") as spool:
        _put(spool, range(1, 11))
        small.fill()
        (small.root / "spool" / "reserve").unlink()
        small.fill()
        before = claimable(spool)

        with pytest.raises(SpoolUnavailable, match="cannot store a capture"):
            _put(spool, range(11, 12))
        assert claimable(spool) == before
        assert counts_add_up(spool)

        small.make_room()
        assert len(_put(spool, range(11, 12))) == 1


@pytest.mark.parametrize("reserve", [True, False], ids=["with reserve", "without reserve"])
def test_a_start_on_a_full_disk_drains_and_stores_later(
    small: SmallFileSystem, reserve: bool
) -> None:
    with open_real(small.root / "spool") as spool:
        _put(spool, range(1, 11))
    if not reserve:
        (small.root / "spool" / "reserve").unlink()
    small.fill()
    assert small.free() == 0

    with open_real(small.root / "spool") as spool:
        found = claimable(spool)
        gone = 0 if reserve else 2  # the least valuable ones made room for the index
        assert found.keys() == {new_capture(number).id for number in range(1 + gone, 11)}
        assert spool.counts().get("evicted/disk_full", 0) == gone
        assert counts_add_up(spool)
        capture = spool.claim()
        assert capture
        spool.acknowledge(capture.id)
        small.make_room()
        _put(spool, range(11, 13))
        assert counts_add_up(spool)
    with open_real(small.root / "spool") as spool:
        assert spool.waiting() == 11 - gone
        assert counts_add_up(spool)


@pytest.mark.parametrize("kind", ["ext2", "ext3"])
def test_a_file_system_that_cannot_allocate_takes_a_spool(kind: str, tmp_path: Path) -> None:
    with mounted(kind, tmp_path) as small:
        for first in (1, 11):
            with open_real(small.root / "spool") as spool:
                kept = _put(spool, range(first, first + 10))
                assert len(kept) == 10
                assert kept <= claimable(spool).keys()
                assert counts_add_up(spool)
        small.fill()
        with open_real(small.root / "spool") as spool:
            while capture := spool.claim():
                spool.acknowledge(capture.id)
            assert spool.counts()["delivered"] == 20


def test_a_c_library_that_cannot_allocate_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with open_real(tmp_path / "spool") as spool:
        kept = _put(spool, range(1, 4))
        journal = (tmp_path / "spool" / "cache" / f"{DATABASE}-wal").stat()

    assert journal.st_blocks * 512 >= JOURNAL_BYTES
    with open_real(tmp_path / "spool") as spool:
        assert claimable(spool).keys() == kept


def test_a_start_without_inodes_drains_and_stores_later(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path, "nr_inodes=60") as small:
        with open_real(small.root / "spool") as spool:
            _put(spool, range(1, 11))
        full = small.root / "full"
        full.mkdir()
        for number in range(small.free_files()):
            (full / str(number)).touch()

        with (
            pytest.raises(SpoolUnavailable, match="no room for another file"),
            open_real(small.root / "spool", evicts=False),
        ):
            pass
        with open_real(small.root / "spool") as spool:
            assert spool.counts()["evicted/disk_full"] == 2
            assert counts_add_up(spool)
            while capture := spool.claim():
                spool.acknowledge(capture.id)
            assert spool.counts()["delivered"] == 8
            assert len(_put(spool, range(11, 13))) == 2


def test_captures_are_kept_where_deleting_them_makes_no_room(tmp_path: Path) -> None:
    """Root has filled the blocks that are reserved for it: what is deleted refills those first."""
    with mounted("ext4", tmp_path, reserved=20) as small:
        with open_real(small.root / "spool") as spool:
            _put(spool, range(1, 11))
        (small.root / "spool" / "reserve").unlink()
        small.fill()

        for evicts in (True, False, False):
            with (
                pytest.raises(SpoolUnavailable, match="the disk is full"),
                open_real(small.root / "spool", evicts=evicts),
            ):
                pass
        small.make_room()
        with open_real(small.root / "spool") as spool:
            assert len(claimable(spool)) == 9
            assert counts_add_up(spool)


@pytest.mark.parametrize("lane", [Lane.RANDOM, Lane.REQUESTED])
def test_captures_of_other_lanes_make_room_too(small: SmallFileSystem, lane: Lane) -> None:
    with open_real(small.root / "spool") as spool:
        captures = [new_capture(n, lane=lane, size=100_000) for n in range(1, 11)]
        spool.put(captures)
    (small.root / "spool" / "reserve").unlink()
    small.fill()

    with open_real(small.root / "spool") as spool:
        left = {capture.id: capture for capture in iter(spool.claim, None) if capture}
        assert len(left) == 8
        assert counts_add_up(spool)
        if lane is Lane.RANDOM:
            evicted = [int(one.id[-12:], 16) / 2**48 for one in captures if one.id not in left]
            for capture in left.values():
                assert capture.record["sampling"]["weight"] == pytest.approx(60 / min(evicted))


def test_a_full_disk_costs_nothing_that_has_to_be_kept(small: SmallFileSystem) -> None:
    with open_real(small.root / "spool") as spool:
        _put(spool, range(1, 11))
    (small.root / "spool" / "damaged" / "old").write_bytes(bytes(500_000))
    (small.root / "spool" / "reserve").unlink()
    small.fill()

    with open_real(small.root / "spool") as spool:
        assert spool.waiting() == 10


def test_a_budget_lets_a_full_disk_be_drained(small: SmallFileSystem) -> None:
    clock = clock_at_midnight()
    with spool_at(small.root / "spool", clock, 100) as spool:
        spool.put([capture_of_scene(number, 0.5) for number in range(1, 20)])
        first = spool.claim()
        clock.now += DAY_S / 5
        assert first is None
        first = spool.claim()  # the ledger is on disk before it is full
        assert first
        spool.acknowledge(first.id)
        for _ in range(8):
            small.fill()
            (small.root / "spool" / "reserve").unlink(missing_ok=True)
            small.fill()
            capture = spool.claim()
            assert capture
            spool.acknowledge(capture.id)

    assert read_status(small.root / "spool", now=0.0).delivered == 9
    assert len(LedgerFile(Disk(), SpoolPaths(small.root / "spool")).read()) == 2


def test_creating_a_spool_on_a_full_disk_is_refused(small: SmallFileSystem) -> None:
    small.fill()

    with pytest.raises(SpoolUnavailable), open_real(small.root / "spool"):
        pass


def test_a_disk_that_turns_read_only_loses_nothing(tmp_path: Path) -> None:
    """ext4 turns read-only by itself after an error."""
    with mounted("ext4", tmp_path) as small:
        with open_real(small.root / "spool") as spool:
            _put(spool, range(1, 11))
            before = claimable(spool)
            small.turn_read_only()

            with pytest.raises(SpoolUnavailable, match=r"Read-only|readonly|I/O error"):
                _put(spool, range(11, 12))
            capture = spool.claim()
            assert capture
            with pytest.raises(SpoolUnavailable):
                spool.acknowledge(capture.id)
            with pytest.raises(SpoolUnavailable):
                spool.reject(capture.id)
            spool.release(capture.id)
            assert claimable(spool) == before
            assert counts_add_up(spool)
        small.mount_again()

        with open_real(small.root / "spool") as spool:
            assert claimable(spool) == before
            assert len(_put(spool, range(11, 12))) == 1
            assert counts_add_up(spool)


def test_a_start_on_a_read_only_disk_is_refused_and_loses_nothing(small: SmallFileSystem) -> None:
    with open_real(small.root / "spool") as spool:
        _put(spool, range(1, 11))
    small.remount("ro")
    with (
        pytest.raises(SpoolUnavailable, match=r"read-only\. .* `capture-agent export DIR`"),
        open_real(small.root / "spool"),
    ):
        pass
    small.remount("rw")

    with open_real(small.root / "spool") as spool:
        assert spool.waiting() == 10
