"""One suite for the real index and the one in memory, then tests of diskcache alone."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import diskcache
import pytest

from agent.record.file_format import file_name, time_in_name
from agent.spool.index import _SETTINGS, Index, IndexChange, RecordFile, RecordOnlyDisk
from agent.spool.index_reading import (
    DATABASE,
    DamagedIndexError,
    IndexContents,
    IndexTotals,
    read_totals,
)
from tests.fakes.captures import FIRST_CAPTURE_MS, entry
from tests.fakes.disk.memory_index import Medium, MemoryIndex
from tests.fakes.disk.power_cut import PowerCutDisk

Reopen = Callable[[], Index]


@pytest.fixture(params=["real", "memory"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    """Return a function that opens the index as a new process does."""
    medium = Medium()

    def opened() -> Index:
        if request.param == "memory":
            index: Index = MemoryIndex(PowerCutDisk(tmp_path), medium)
        else:
            index = Index(tmp_path)
        index.load()
        return index

    return opened


def test_a_new_index_is_empty(reopen: Reopen) -> None:
    assert reopen().load() == IndexContents()


def test_the_next_process_finds_a_change(reopen: Reopen) -> None:
    index = reopen()
    index.commit(
        IndexChange(
            added=(RecordFile("a", 1), RecordFile("b", 2), RecordFile("c", 3)),
            counts={"stored": 3, "none": 0},
            notes={"sequence": "3"},
        )
    )
    index.commit(IndexChange(removed=("a",), unlisted=("b",), counts={"stored": 1, "delivered": 2}))
    index.close()

    assert reopen().load() == IndexContents(
        records={"c": 3},
        tombstones={"a"},
        counts={"stored": 4, "delivered": 2},
        notes={"sequence": "3"},
    )


def test_tombstones_are_deleted_when_they_are_cleared(reopen: Reopen) -> None:
    index = reopen()
    index.commit(IndexChange(added=(RecordFile("a", 1), RecordFile("b", 1))))
    index.commit(IndexChange(removed=("a", "b")))
    index.commit(IndexChange(cleared=("a", "unknown")))

    assert index.load().tombstones == {"b"}


def test_counts_go_on_after_the_next_start(reopen: Reopen) -> None:
    reopen().commit(IndexChange(counts={"stored": 2}))
    reopen().commit(IndexChange(counts={"stored": 3}))

    assert reopen().load().counts == {"stored": 5}


def test_a_note_is_replaced(reopen: Reopen) -> None:
    index = reopen()
    index.commit(IndexChange(notes={"sequence": "1"}))
    index.commit(IndexChange(notes={"sequence": "2"}))

    assert index.load().notes == {"sequence": "2"}


def _stored_settings(directory: Path) -> dict[str, object]:
    with closing(sqlite3.connect(directory / DATABASE)) as database:
        return dict(database.execute("SELECT key, value FROM Settings"))


def test_settings_are_restored_after_another_program_changed_them(tmp_path: Path) -> None:
    Index(tmp_path).close()
    changed = {
        "eviction_policy": "least-recently-used",
        "size_limit": 1,
        "cull_limit": 100,
        "statistics": 1,
        "tag_index": 1,
        "sqlite_synchronous": 0,
        "sqlite_mmap_size": 1 << 26,
        "sqlite_journal_mode": "delete",
        "disk_min_file_size": 1 << 15,
    }
    diskcache.Cache(str(tmp_path), **changed).close()

    index = Index(tmp_path)
    index.load()
    index.commit(IndexChange(added=tuple(RecordFile(str(n), 1 << 30) for n in range(50))))

    assert {name: _stored_settings(tmp_path)[name] for name in _SETTINGS} == dict(_SETTINGS)
    assert len(index.load().records) == 50


@pytest.mark.parametrize(
    ("pragma", "expected"),
    [("synchronous", 2), ("journal_mode", "wal"), ("mmap_size", 0), ("trusted_schema", 0)],
)
def test_the_connection_has_the_durable_settings(
    tmp_path: Path, pragma: str, expected: object
) -> None:
    index = Index(tmp_path)

    assert index._cache._sql(f"PRAGMA {pragma}").fetchone() == (expected,)


@pytest.mark.parametrize(
    "value", [{"a": 1}, [1], b"bytes", bytearray(b"x"), None, True, 1, 1.5, object()]
)
def test_values_that_diskcache_would_pickle_or_convert_are_refused(
    tmp_path: Path, value: object
) -> None:
    cache = diskcache.Cache(str(tmp_path), disk=RecordOnlyDisk)

    with pytest.raises(TypeError, match="a value must be text or a record file"):
        cache.set("key", value)
    with pytest.raises(TypeError, match="a key must be text"):
        cache.set(value, "text")


@pytest.mark.parametrize(
    ("mode", "filename", "value"),
    [
        (4, None, b"pickle"),
        (3, "records/a", None),
        (1, None, b"bytes"),
        (1, None, None),
        (2, "../etc/passwd", None),
        (2, "records/../../etc/passwd", None),
        (2, "records/..", None),
        (2, "records/", None),
        (2, None, b"bytes"),
    ],
)
def test_rows_of_other_programs_are_refused(
    tmp_path: Path, mode: int, filename: str | None, value: object
) -> None:
    with pytest.raises(DamagedIndexError):
        RecordOnlyDisk(str(tmp_path)).fetch(mode, filename, value, read=False)


@pytest.mark.parametrize(("key", "raw"), [("text", 0), (b"pickle", 0), (1, 1), (b"bytes", 1)])
def test_keys_of_other_programs_are_refused(tmp_path: Path, key: object, raw: int) -> None:
    with pytest.raises(DamagedIndexError):
        RecordOnlyDisk(str(tmp_path)).get(key, raw)


def test_the_row_of_a_record_file_is_the_one_that_diskcache_makes(tmp_path: Path) -> None:
    columns = "key, raw, expire_time, access_count, tag, size, mode, filename, value"
    file = RecordFile("a", 12)
    index = Index(tmp_path)
    index.commit(IndexChange(added=(file,)))
    ours = index._cache._sql(f"SELECT {columns} FROM Cache").fetchall()
    index._cache.set("capture/a", file)

    assert index._cache._sql(f"SELECT {columns} FROM Cache").fetchall() == ours


def test_a_locked_index_is_a_disk_error_after_a_short_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(tmp_path)
    index.load()
    index._cache._sql("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match="locked"):
            index.commit(IndexChange(counts={"stored": 1}))

    index.commit(IndexChange(counts={"stored": 1}))
    assert index.load().counts == {"stored": 1}


def test_another_process_reads_without_opening_for_writing(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.load()
    files = tuple(
        RecordFile(file_name(entry(number, size=number)), number) for number in (1, 4096, 4097)
    )
    index.commit(
        IndexChange(added=files, counts={"stored": 3}, notes={"n": "1", "other": "2", "none": None})
    )
    index.commit(IndexChange(removed=(files[0].name,), counts={"delivered": 1}))
    second, third = (time_in_name((FIRST_CAPTURE_MS + number) / 1000) for number in (4096, 4097))

    assert read_totals(tmp_path, (third, third), ("n", "none")) == IndexTotals(
        waiting=2,
        waiting_bytes=3 * 4096,
        oldest=second,
        recent_bytes=2 * 4096,
        counts={"stored": 3, "delivered": 1},
        notes={"n": "1"},
    )


def test_an_index_in_which_nothing_waits_has_no_oldest(tmp_path: Path) -> None:
    Index(tmp_path).close()

    assert read_totals(tmp_path, ("0", "f"), ()) == IndexTotals(0, 0, None, 0, {}, {})


def test_reading_a_missing_or_invalid_index_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_totals(tmp_path, ("0", "f"), ())
    (tmp_path / DATABASE).write_bytes(b"no database" * 1000)
    with pytest.raises(OSError, match="cannot read the index"):
        read_totals(tmp_path, ("0", "f"), ())
