"""Damaged indexes and files, foreign files and planted rows: no valid capture is lost."""

import errno
import io
import os
import pickle
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent.domain import Lane
from agent.errors import ConfigurationError
from agent.files import Disk
from agent.spool import reconciliation
from agent.spool.index_reading import DATABASE
from agent.spool.layout import SpoolPaths
from agent.spool.rejected import list_rejected, retry_rejected
from agent.spool.spool import Spool
from agent.spool.status import read_status
from agent.spool.types import NewCapture, SpoolLimits
from tests.fakes.captures import new_capture, of_first_schema
from tests.fakes.disk.power_cut import DiskFault
from tests.fakes.disk.real import BadBlockDisk
from tests.spool.checked_spool import CheckedSpool
from tests.spool.spool_builders import OVERHEAD, Machine, claimable, counts_add_up, open_real


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a spool with five waiting captures, one delivered and one rejected."""
    with open_real(tmp_path / "spool") as spool:
        spool.put([new_capture(number, value=number / 10) for number in range(1, 8)])
        for end in (spool.acknowledge, spool.reject):
            capture = spool.claim()
            assert capture
            end(capture.id)
    return tmp_path / "spool"


WAITING = {new_capture(number).id for number in range(1, 6)}


def _records(root: Path) -> list[Path]:
    return sorted((root / "cache" / "records").iterdir())


def _overwrite_header(database: Path) -> None:
    with database.open("r+b") as file:
        file.write(b"not SQLite at all")


def _overwrite_each_page_but_the_first(database: Path) -> None:
    with database.open("r+b") as file:
        for page in range(1, database.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(os.urandom(4096))


def _cut_short(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)


def _empty(database: Path) -> None:
    os.truncate(database, 0)


def _plant(statement: str, *values: object) -> Callable[[Path], None]:
    def plant(database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(statement, values)

    return plant


class _Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


DAMAGES = {
    "header": _overwrite_header,
    "pages": _overwrite_each_page_but_the_first,
    "cut short": _cut_short,
    "missing": Path.unlink,
    "empty": _empty,
    "no table": _plant("DROP TABLE Cache"),
    "no settings": _plant("DROP TABLE Settings"),
    "other columns": _plant("ALTER TABLE Cache DROP COLUMN mode"),
    "foreign row": _plant("INSERT INTO Cache(key, raw, mode, value) VALUES ('other', 1, 1, 'x')"),
    "foreign setting": _plant("INSERT INTO Settings VALUES ('disk_surprise', 1)"),
    "foreign pragma": _plant("INSERT INTO Settings VALUES ('sqlite_writable_schema', 1)"),
    "outside": _plant("UPDATE Cache SET filename = '../../lock' WHERE mode = 2"),
    "expiring": _plant("UPDATE Cache SET expire_time = 1.0"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_index_is_rebuilt_from_the_files(
    root: Path, damage: Callable[[Path], None]
) -> None:
    damage(root / "cache" / DATABASE)
    log = io.StringIO()

    with open_real(root, log=log) as spool:
        assert claimable(spool).keys() == WAITING
        assert counts_add_up(spool)
        spool.put([new_capture(20)])
    assert "spool recovered" in log.getvalue()
    assert "index_rebuilt=true" in log.getvalue()
    with open_real(root, log=io.StringIO()) as spool:
        assert claimable(spool).keys() == {*WAITING, new_capture(20).id}
        assert counts_add_up(spool)


def test_a_damaged_index_is_moved_to_damaged(root: Path) -> None:
    _overwrite_header(root / "cache" / DATABASE)

    with open_real(root):
        pass

    assert [path.name.rpartition("-")[0] for path in (root / "damaged").iterdir()] == [DATABASE]


def test_a_single_overwritten_page_is_found_or_harmless(root: Path) -> None:
    whole = (root / "cache" / DATABASE).read_bytes()
    for page in range(len(whole) // 4096):
        rotten = bytearray(whole)
        rotten[page * 4096 : (page + 1) * 4096] = bytes(range(256)) * 16
        (root / "cache" / DATABASE).write_bytes(rotten)

        with open_real(root) as spool:
            assert claimable(spool).keys() == WAITING
            assert counts_add_up(spool)


def test_garbage_in_the_journal_changes_nothing(root: Path) -> None:
    (root / "cache" / f"{DATABASE}-wal").write_bytes(os.urandom(100_000))

    with open_real(root) as spool:
        assert claimable(spool).keys() == WAITING
        assert spool.counts() == {"stored": 7, "delivered": 1, "rejected": 1}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE Cache SET mode = 4, filename = NULL, value = ? WHERE key LIKE 'capture/%'",
        "UPDATE Cache SET mode = 4, value = ? WHERE key = 'count/stored'",
        "UPDATE Cache SET mode = 4, value = ? WHERE key = 'note/sequence'",
        "UPDATE Cache SET raw = 0, key = ? WHERE key = 'count/stored'",
        "INSERT INTO Cache(key, raw, mode, value) VALUES (?, 0, 1, 'x')",
        "INSERT INTO Settings VALUES ('planted', ?)",
        "UPDATE Settings SET value = ? WHERE key = 'eviction_policy'",
        "UPDATE Settings SET value = ? WHERE key = 'size'",
    ],
)
def test_a_planted_pickle_runs_no_code(root: Path, tmp_path: Path, statement: str) -> None:
    mark = tmp_path / "code-was-run"
    _plant(statement, pickle.dumps(_Payload(mark)))(root / "cache" / DATABASE)

    with open_real(root) as spool:
        assert claimable(spool).keys() == WAITING
        assert counts_add_up(spool)
        spool.put([new_capture(20)])
    with open_real(root) as spool:
        assert spool.waiting() == 6
    assert not mark.exists()


def test_the_planted_payload_runs_if_it_is_unpickled(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(_Payload(tmp_path / "code-was-run")))

    assert (tmp_path / "code-was-run").exists()


def _flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [_flip_a_bit, _cut_short, _empty, Path.unlink],
    ids=["bit rot", "cut short", "empty", "missing"],
)
@pytest.mark.parametrize("index", ["kept", "lost"])
def test_a_damaged_record_file_is_moved_to_damaged_and_the_others_are_sent(
    root: Path, damage: Callable[[Path], None], index: str
) -> None:
    broken = _records(root)[2]
    damage(broken)
    if index == "lost":
        (root / "cache" / DATABASE).unlink()

    with open_real(root) as spool:
        found = claimable(spool)
        assert found.keys() == {one for one in WAITING if one not in broken.name}
        assert counts_add_up(spool)
        is_known = index == "kept" or damage is not Path.unlink
        assert spool.counts().get("damaged", 0) == is_known
    assert (root / "damaged" / broken.name).exists() == (damage is not Path.unlink)


def test_a_file_damaged_while_it_waits_is_found_before_it_is_sent(root: Path) -> None:
    log = io.StringIO()
    with open_real(root, log=log) as spool:
        _flip_a_bit(_records(root)[-1])

        assert len(claimable(spool)) == 4
        assert "capture damaged" in log.getvalue()
        assert counts_add_up(spool)


def test_a_file_on_a_bad_block_does_not_delay_the_others(root: Path) -> None:
    bad = _records(root)[-1]
    with open_real(root, disk=BadBlockDisk(bad)) as spool:
        assert len(claimable(spool)) == 4
        assert (root / "damaged" / bad.name).exists()


def test_a_bad_block_and_a_lost_index_do_not_prevent_the_start(root: Path) -> None:
    bad = _records(root)[-1]
    (root / "cache" / DATABASE).unlink()

    with open_real(root, disk=BadBlockDisk(bad)) as spool:
        assert len(claimable(spool)) == 4
        assert spool.counts() == {"stored": 5, "damaged": 1}
        assert counts_add_up(spool)
    assert (root / "damaged" / bad.name).exists()


def test_a_long_start_reports_its_progress(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "GROUP", 2)
    (root / "cache" / DATABASE).unlink()
    log, reports = io.StringIO(), list[tuple[int, int]]()

    with open_real(root, log=log, progress=lambda *so_far: reports.append(so_far)) as spool:
        assert claimable(spool).keys() == WAITING
    assert reports == [(2, 5), (4, 5)]
    assert log.getvalue().count("spool rebuilding") == 2


def test_foreign_files_are_moved_to_damaged_and_folders_are_left_alone(root: Path) -> None:
    records = root / "cache" / "records"
    (records / "holiday.jpg").write_bytes(b"jpeg")
    (records / "folder").mkdir()
    (records / (new_capture(1).id + ".tmp")).write_bytes(b"half")

    with open_real(root) as spool:
        assert claimable(spool).keys() == WAITING
        assert spool.counts() == {"stored": 7, "delivered": 1, "rejected": 1}
    assert (root / "damaged" / "holiday.jpg").exists()
    assert (records / "folder").is_dir()
    assert not (records / (new_capture(1).id + ".tmp")).exists()


@pytest.mark.parametrize("end", ["acknowledge", "release", "reject"])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_rejection_that_failed_halfway_may_end_otherwise(
    tmp_path: Path, step: int, end: str
) -> None:
    """The disk refuses one step of it: the move, the syncs of both folders, or the commit."""
    checked = CheckedSpool(Machine(tmp_path / "spool", SpoolLimits(OVERHEAD + 4 * 4096)))
    checked.put([new_capture(0, lane=Lane.RANDOM, value=0.0)])
    identity = checked.claim()
    assert identity is not None
    checked.machine.disk.inject(DiskFault(step, errno.ENOSPC))
    checked.reject(identity)
    assert identity in checked.claimed
    getattr(checked, end)(identity)

    def start() -> None:
        checked.machine.kill()
        checked.machine.start()

    checked.start_again(start)
    checked.machine.kill()


def test_rejected_and_damaged_files_do_not_fill_the_disk(tmp_path: Path) -> None:
    with open_real(tmp_path / "spool", limit=10_000_000) as spool:
        for number in range(1, 21):
            spool.put([new_capture(number, size=100_000)])
            capture = spool.claim()
            assert capture
            spool.reject(capture.id)

    kept = sorted(path.name for path in (tmp_path / "spool" / "rejected").iterdir())
    assert [name.split("-")[1] for name in kept] == [f"{n:012d}" for n in range(17, 21)]


def _finish(spool: Spool) -> None:
    while capture := spool.claim():
        spool.acknowledge(capture.id)


def test_sequence_numbers_grow_after_all_captures_are_delivered(root: Path) -> None:
    with open_real(root) as spool:
        _finish(spool)
    with open_real(root) as spool:
        (kept,) = spool.put([new_capture(20)]).kept

    assert kept.sequence == 8


def test_values_above_one_keep_their_order_without_an_index(tmp_path: Path) -> None:
    values = {1: 0.5, 2: 12.5, 3: 3.25, 4: 100.0}
    with open_real(tmp_path) as spool:
        spool.put([new_capture(number, value=value) for number, value in values.items()])
    (tmp_path / "cache" / DATABASE).unlink()

    with open_real(tmp_path) as spool:
        order = list(claimable(spool))

    assert order == [new_capture(number).id for number in (4, 2, 3, 1)]


def test_a_record_of_an_older_version_is_sent_unchanged(tmp_path: Path) -> None:
    older = of_first_schema(1)
    with open_real(tmp_path) as spool:
        spool.put([NewCapture(older.id, Lane.SCORE, 0.75, older.record, older.image)])

    with open_real(tmp_path) as spool:
        found = spool.claim()

    assert found is not None
    assert found.record == {**older.record, "sequence": 1}
    assert found.image == older.image


@pytest.mark.parametrize("value", ["-2", "many", "", "9" * 5000, "1e3", "\u00b2", "\u0663", " 1"])
@pytest.mark.parametrize("name", ["stored", "delivered", "rejected", "evicted/budget"])
def test_a_damaged_counter_costs_neither_the_index_nor_the_start(
    root: Path, name: str, value: str
) -> None:
    plant = "INSERT OR REPLACE INTO Cache(key, raw, mode, value) VALUES (?, 1, 1, ?)"
    _plant(plant, f"count/{name}", value)(root / "cache" / DATABASE)
    log = io.StringIO()

    assert read_status(root, now=0.0).waiting == 5
    with open_real(root, log=log) as spool:
        assert claimable(spool).keys() == WAITING
        assert counts_add_up(spool)
        spool.put([new_capture(20)])
    assert "damaged_counters=1" in log.getvalue()
    assert "index_rebuilt=false" in log.getvalue()
    assert list((root / "damaged").iterdir()) == []
    with open_real(root) as spool:
        assert counts_add_up(spool)
        assert spool.counts().get("delivered", 0) == (0 if name == "delivered" else 1)
    status = read_status(root, now=0.0)
    assert status.stored == 6 + status.delivered + status.rejected


def test_the_status_of_a_spool_whose_index_is_lost_says_what_waits(root: Path) -> None:
    (root / "cache" / DATABASE).unlink()

    status = read_status(root, now=0.0)

    assert (status.waiting, status.stored, status.in_rejected) == (5, 5, 1)
    assert status.waiting_bytes == 5 * 4096


def test_captures_rejected_before_the_index_was_lost_are_retried(root: Path) -> None:
    (root / "cache" / DATABASE).unlink()
    with open_real(root) as spool:
        capture = spool.claim()
        assert capture
        spool.reject(capture.id)
        paths = SpoolPaths(root)
        assert retry_rejected(spool, Disk(), paths) == 2
        assert counts_add_up(spool)
        assert all(count >= 0 for count in spool.counts().values())
    assert read_status(root, now=0.0).waiting == 6
    with open_real(root, log=(log := io.StringIO())) as spool:
        assert claimable(spool).keys() == {*WAITING, new_capture(6).id}
        assert counts_add_up(spool)
    assert "spool recovered" not in log.getvalue()


def test_no_new_capture_has_the_sequence_of_a_rejected_one_after_a_lost_index(root: Path) -> None:
    """The rejected one may come back, and would be taken for the new one."""
    [rejected] = list_rejected(Disk(), SpoolPaths(root))
    for file in (root / "cache" / "records").glob("*.capture"):
        file.unlink()
    (root / "cache" / DATABASE).unlink()
    with open_real(root) as spool:
        [stored] = spool.put([new_capture(90)]).kept

    assert stored.sequence > rejected.sequence


def test_a_rejected_capture_that_waits_under_another_name_is_said(root: Path) -> None:
    waiting = _records(root)[0]
    other = waiting.name.replace("-000000000001-", "-000000000099-")
    (root / "rejected" / other).write_bytes(waiting.read_bytes())

    with (
        open_real(root) as spool,
        pytest.raises(ConfigurationError, match="it waits already"),
    ):
        retry_rejected(spool, Disk(), SpoolPaths(root), [new_capture(1).id])


def _exchange(records: list[Path]) -> set[int]:
    first, second = records[0].read_bytes(), records[1].read_bytes()
    records[0].write_bytes(second)
    records[1].write_bytes(first)
    return {1, 2}


def _overwrite_with_another(records: list[Path]) -> set[int]:
    records[4].write_bytes(records[2].read_bytes())
    return {5}


def _restore_under_another_sequence(records: list[Path]) -> set[int]:
    name = records[4].name
    records[4].rename(records[4].with_name(name.replace("-000000000005-", "-000000000099-")))
    return {5}


@pytest.mark.parametrize(
    "damage", [_exchange, _overwrite_with_another, _restore_under_another_sequence]
)
@pytest.mark.parametrize("is_index_lost", [False, True])
def test_a_file_that_holds_another_capture_is_damaged_and_blocks_no_other(
    root: Path, damage: Callable[[list[Path]], set[int]], is_index_lost: bool
) -> None:
    wrong = {new_capture(number).id for number in damage(_records(root))}
    if is_index_lost:
        (root / "cache" / DATABASE).unlink()
    log = io.StringIO()

    with open_real(root, log=log) as spool:
        found = claimable(spool)
        assert found.keys() == WAITING - wrong
        for capture in iter(spool.claim, None):
            assert capture
        spool.acknowledge(*found)
        assert counts_add_up(spool)
        assert spool.waiting() == 0
    assert log.getvalue().count("capture damaged") >= len(wrong) - 1


@pytest.mark.parametrize("place", [-1, -600, -1199])
def test_a_clip_with_one_changed_byte_is_damage_and_blocks_nothing(
    tmp_path: Path, place: int
) -> None:
    with open_real(tmp_path / "spool") as spool:
        clip = (b"before" * 100, b"after" * 120)
        spool.put([new_capture(1, value=0.9, clip=clip), new_capture(2, value=0.1, clip=clip)])
        [file] = [each for each in _records(tmp_path / "spool") if each.name.startswith("s0900")]
        data = bytearray(file.read_bytes())
        data[place] ^= 1
        file.write_bytes(data)
        found = claimable(spool)

        assert list(found) == [new_capture(2).id]
        assert found[new_capture(2).id].endswith(b"".join(clip))
        assert spool.counts()["damaged"] == 1
        assert counts_add_up(spool)
        assert (tmp_path / "spool" / "damaged" / file.name).exists()
