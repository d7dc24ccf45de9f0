"""The ledger outlives the index, and each damage to one of its two copies."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.files import Disk
from agent.selection.budget.ledger import DAY_S
from agent.spool.index_reading import DATABASE
from agent.spool.layout import SpoolPaths
from agent.spool.ledger_file import LedgerFile
from tests.fakes.clock import ManualClock
from tests.selection.budgeted_spool import capture_of_scene, clock_at_midnight, send_all, spool_at


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _replace(file: Path) -> None:
    file.write_bytes(b"\xff" * 65 + b"{}")


def _replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _run_a_day_under_the_same_date(clock: ManualClock) -> None:
    clock.now += DAY_S
    clock.wall_offset -= DAY_S


def _lose_the_index(root: Path) -> None:
    for file in (root / "cache").glob(f"{DATABASE}*"):
        file.write_bytes(b"damaged")


@pytest.mark.parametrize("is_index_lost", [False, True])
@pytest.mark.parametrize("copy", [0, 1])
@pytest.mark.parametrize("damage", [_truncate, _flip, _empty, _replace, Path.unlink])
def test_the_budget_holds_when_the_index_and_a_copy_are_damaged(
    damage: Callable[[Path], None], copy: int, is_index_lost: bool, tmp_path: Path
) -> None:
    root, clock = tmp_path / "spool", clock_at_midnight()
    sent = []
    for start in range(4):
        with spool_at(root, clock, 2) as spool:
            spool.put([capture_of_scene(10 * start + n, 0.5) for n in range(5)])
            spool.claim()
            _run_a_day_under_the_same_date(clock)
            sent += send_all(spool)
        if is_index_lost:
            _lose_the_index(root)
        damage(SpoolPaths(root).ledgers[copy])

    assert len(sent) == 2


def test_a_folder_in_place_of_a_copy_is_said_and_buys_nothing(tmp_path: Path) -> None:
    paths = SpoolPaths(tmp_path)
    copies = LedgerFile(Disk(), paths)
    copies.write("a")
    _replace_by_folder(paths.ledgers[0])

    assert copies.read() == ["a"]
    with pytest.raises(OSError, match="not a regular file"):
        copies.write("b")


def test_both_copies_are_read(tmp_path: Path) -> None:
    copies = LedgerFile(Disk(), SpoolPaths(tmp_path))

    assert copies.read() == []
    copies.write("one")
    copies.write("two")
    assert copies.read() == ["two", "two"]
