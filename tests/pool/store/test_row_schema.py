"""Rows as Arrow and Parquet: nothing of a row is lost, whatever is in it."""

import io
from dataclasses import fields

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.pool.rows import PoolRow
from agent.pool.store.journal import Journal, finished_frame, head, read_journal, row_frame
from agent.pool.store.schema import SCHEMA, batch_of, restored, rows_of, storable
from agent.pool.store.sealed import SealedPart, sealed_bytes, sealed_name
from tests.pool.store.made_rows import any_row, features_of


@settings(max_examples=10)
@given(st.lists(any_row(), min_size=1, max_size=3))
def test_rows_survive_journal_and_parquet(rows: list[PoolRow]) -> None:
    data = head(7) + b"".join(row_frame(batch_of(row, since=0)) for row in rows)

    journal = read_journal(data)
    parquet = sealed_bytes(journal)
    part = SealedPart(io.BytesIO(parquet), sealed_name("a", 1, parquet))

    assert journal.number == 7
    for found in (rows_of(pa.Table.from_batches(journal.rows)), rows_of(part.read(SCHEMA.names))):
        assert found == rows
        assert [features_of(row) for row in found] == [features_of(row) for row in rows]


def test_each_field_of_a_row_is_a_column() -> None:
    own = {"item", "since", "is_last"}
    assert {field.name for field in fields(PoolRow)} == set(SCHEMA.names) - own


@given(st.text())
def test_any_name_can_be_stored(text: str) -> None:
    assert restored(storable(text)) == text
    storable(text).encode()


@settings(max_examples=10)
@given(st.lists(any_row(), min_size=1, max_size=3), st.data())
def test_a_torn_journal_has_all_rows_before_the_tear(
    rows: list[PoolRow], data: st.DataObject
) -> None:
    frames = [row_frame(batch_of(row, since=0)) for row in rows] + [finished_frame("x", 3)]
    whole = head(1) + b"".join(frames)
    cut = data.draw(st.integers(0, len(whole)))
    zeros = data.draw(st.integers(0, 600))  # a power cut may leave blocks of zeros

    torn = whole[:cut] + bytes(zeros)

    journal = read_journal(torn)

    ends = [len(head(1)) + sum(map(len, frames[: n + 1])) for n in range(len(rows))]
    # A row ends in zeros: those of the power cut may be the ones that were torn off.
    expected = [row for row, end in zip(rows, ends, strict=True) if torn[:end] == whole[:end]]
    assert [row for batch in journal.rows for row in rows_of(batch)] == expected
    # Where zeros fill the place of a whole row, it is a damaged one, and others may follow it.
    assert journal.damaged or torn[: journal.size] == whole[: journal.size]


@pytest.mark.parametrize("at", [30, -30])
def test_a_flipped_bit_in_a_journal_costs_one_row(at: int) -> None:
    rows = [PoolRow(f"/i/{n}", id=str(n)) for n in range(3)]
    frames = [row_frame(batch_of(row, since=0)) for row in rows]
    middle = bytearray(frames[1])
    middle[at] ^= 4

    journal = read_journal(head(1) + frames[0] + bytes(middle) + frames[2])

    assert [row for batch in journal.rows for row in rows_of(batch)] == [rows[0], rows[2]]
    assert journal.damaged == 1


def test_a_file_of_something_else_is_no_journal() -> None:
    assert read_journal(b"x" * 100) == Journal(damaged=1)
