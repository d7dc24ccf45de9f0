"""A disk that refuses writes at start: its captures are claimed all the same, and stay on it."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from agent.domain import Lane
from agent.errors import SpoolUnavailable, TemporaryError
from agent.spool.index_reading import DATABASE
from agent.spool.read_only import read_spool
from agent.spool.spool import Spool
from agent.spool.status import read_status
from agent.spool.types import SpoolLimits
from tests.fakes.captures import new_capture
from tests.fakes.log import quiet_log
from tests.spool.small_file_system import SmallFileSystem, mounted
from tests.spool.spool_builders import claimable, clock, counts_add_up, open_real


@pytest.fixture(params=["ext4", "tmpfs"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallFileSystem]:
    with mounted(request.param, tmp_path) as system:
        with open_real(system.root / "spool") as spool:
            spool.put([new_capture(number, value=number / 10) for number in range(1, 8)])
            spool.put([new_capture(8, lane=Lane.RANDOM)])
            for end in (spool.acknowledge, spool.reject):
                capture = spool.claim()
                assert capture
                end(capture.id)
        yield system


def _read(root: Path) -> AbstractContextManager[Spool]:
    return read_spool(root, SpoolLimits(100_000_000), clock=clock(), log=quiet_log())


def _turn_read_only(small: SmallFileSystem) -> None:
    small.remount("ro")


def _lose_the_index(small: SmallFileSystem) -> None:
    (small.root / "spool" / "cache" / DATABASE).unlink()
    small.remount("ro")


def _damage_the_index(small: SmallFileSystem) -> None:
    (small.root / "spool" / "cache" / DATABASE).write_bytes(b"damaged" * 1000)
    small.remount("ro")


def _fill(small: SmallFileSystem) -> None:
    (small.root / "spool" / "reserve").unlink()
    small.fill()


def _content(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("damage", [_turn_read_only, _lose_the_index, _damage_the_index, _fill])
def test_captures_are_claimed_and_nothing_changes(
    small: SmallFileSystem, damage: Callable[[SmallFileSystem], None]
) -> None:
    damage(small)
    before = _content(small.root)

    with _read(small.root / "spool") as spool:
        found = claimable(spool)
        assert {new_capture(number).id for number in (1, 2, 3, 4, 5, 8)} <= found.keys()
        assert counts_add_up(spool)
        with pytest.raises(SpoolUnavailable, match="cannot store a capture"):
            spool.put([new_capture(20)])
        for end in (spool.acknowledge, spool.reject, spool.release):
            capture = spool.claim()
            assert capture
            end(capture.id)
        assert spool.waiting() == len(found) - 2
        assert counts_add_up(spool)

    assert _content(small.root) == before


def test_a_killed_process_leaves_a_journal_that_is_read_too(small: SmallFileSystem) -> None:
    root = small.root / "spool"
    with open_real(root) as spool:
        spool.put([new_capture(30, value=0.9)])
        journal = {
            path.name: path.read_bytes() for path in (root / "cache").glob(f"{DATABASE}-wal")
        }
        database = (root / "cache" / DATABASE).read_bytes()
        small_copy = root / "cache"
    for name, data in journal.items():
        (small_copy / name).write_bytes(data)
    (small_copy / DATABASE).write_bytes(database)
    small.remount("ro")

    assert read_status(root, now=0.0).waiting == 7
    with _read(root) as spool:
        assert new_capture(30).id in claimable(spool)
        assert spool.counts()["stored"] == 9


@pytest.mark.parametrize("damage", [_turn_read_only, _fill])
def test_the_status_is_read(
    small: SmallFileSystem, damage: Callable[[SmallFileSystem], None]
) -> None:
    damage(small)

    status = read_status(small.root / "spool", now=0.0)

    assert (status.waiting, status.delivered, status.rejected) == (6, 1, 1)


def test_only_one_process_at_a_time_reads_or_writes(small: SmallFileSystem) -> None:
    with open_real(small.root / "spool"), pytest.raises(TemporaryError, match=str(os.getpid())):
        _read(small.root / "spool").__enter__()
    with (
        _read(small.root / "spool"),
        pytest.raises(TemporaryError, match="owns it"),
        open_real(small.root / "spool"),
    ):
        pass


def test_a_missing_spool_is_said(tmp_path: Path) -> None:
    with suppress(FileNotFoundError):
        (tmp_path / "lock").unlink()
    with pytest.raises(SpoolUnavailable, match="cannot open"), _read(tmp_path / "none"):
        pass
