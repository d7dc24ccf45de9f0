"""Names of rows that earlier versions wrote to the index have the same meaning now."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.domain import Lane
from agent.spool.index_reading import DATABASE
from tests.fakes.captures import capture_id, new_capture
from tests.spool.spool_builders import counts_add_up, open_real

FIXED, RANDOM, DELETED = 1, 2, 3


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a spool with rows as earlier versions wrote them."""
    root = tmp_path / "spool"
    with open_real(root) as spool:
        spool.put([new_capture(number, lane=Lane.RANDOM) for number in (FIXED, RANDOM)])
        spool.put([new_capture(DELETED)])
    [deleted] = root.glob(f"cache/records/*{capture_id(DELETED)}*")
    rows = {
        "note/" + "kept_with/" + capture_id(FIXED): "0.5",
        "note/thinning": "[[3, 0.25]]",
        "note/kept/ranks": "saved",
        f"done/{deleted.name}": "",
    }
    with closing(sqlite3.connect(root / "cache" / DATABASE)) as database, database:
        database.execute("DELETE FROM Cache WHERE key = ?", (f"capture/{deleted.name}",))
        database.execute("UPDATE Cache SET value = '2' WHERE key = 'count/stored'")
        database.executemany(
            "INSERT INTO Cache(key, raw, store_time, access_time, size, mode, value)"
            " VALUES (?, 1, 0, 0, 0, 1, ?)",
            rows.items(),
        )
    return root


def test_inclusion_probabilities_of_earlier_versions_are_used(root: Path) -> None:
    with open_real(root) as spool:
        weights = {each.id: each.record["sampling"]["weight"] for each in iter(spool.claim, None)}

    assert weights == {capture_id(FIXED): 60.0 / 0.5, capture_id(RANDOM): 60.0 / 0.25}


def test_tombstones_of_earlier_versions_delete_their_files(root: Path) -> None:
    with open_real(root) as spool:
        assert spool.waiting() == 2
        assert counts_add_up(spool)
    assert not list(root.glob(f"cache/records/*{capture_id(DELETED)}*"))


def test_notes_of_earlier_versions_are_found(root: Path) -> None:
    with open_real(root) as spool:
        assert spool.note("ranks") == "saved"
