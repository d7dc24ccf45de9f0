"""Names that ask, answers that are fetched, and folders that are full of something else."""

import os
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.exchange.asks import (
    MOST_ASKS,
    Ask,
    AskKind,
    asks,
    clear,
    fetch,
    parse_name,
    put,
    withdraw,
)
from agent.files import Disk

ID = "0123abcd-0123-4567-89ab-0123456789ab"


@given(st.uuids(), st.sampled_from(AskKind), st.from_regex(r"[A-Za-z0-9_-]{0,64}", fullmatch=True))
def test_a_name_says_all(identity: object, kind: AskKind, camera: str) -> None:
    ask = Ask(str(identity), kind, camera)

    assert parse_name(ask.name) == ask
    assert len(ask.name.encode()) < 255


@given(st.text())
def test_any_other_name_is_none(name: str) -> None:
    assert parse_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        f"{ID}.capture.../../x.ask",
        f"{ID}.capture.a b.ask",
        f"{ID}.delete..ask",
        f"{ID}.answer",
        f"../{ID}.capture..ask",
        f"{ID.upper()}.capture..ask",
        f"{ID}.capture.{'a' * 65}.ask",
        f"{ID}.capture..ask\n",
    ],
)
def test_a_name_that_resembles_one_is_none(name: str) -> None:
    assert parse_name(name) is None


def test_an_ask_is_found_whatever_kind_of_file_it_is(tmp_path: Path) -> None:
    """Only its name counts: nothing in the folder is opened."""
    plain, pipe = Ask(str(uuid4()), AskKind.CAPTURE, "gate"), Ask(str(uuid4()), AskKind.FRAMES)
    put(tmp_path, plain)
    os.mkfifo(tmp_path / pipe.name)
    (tmp_path / "state.json").write_text("{}")

    assert set(map(str, asks(tmp_path))) == {str(plain), str(pipe)}


def test_a_flood_is_answered_a_few_at_a_time(tmp_path: Path) -> None:
    for _ in range(MOST_ASKS + 5):
        put(tmp_path, Ask(str(uuid4()), AskKind.FRAMES))

    assert len(asks(tmp_path)) == MOST_ASKS


def test_an_answer_is_fetched_and_withdrawn(tmp_path: Path) -> None:
    ask = Ask(ID, AskKind.FRAMES)
    assert fetch(tmp_path, ask) is None
    put(tmp_path, ask)
    (tmp_path / ask.answer_name).write_text('{"frames": []}')
    assert fetch(tmp_path, ask) == {"frames": []}
    withdraw(tmp_path, ask)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"", b"[]", b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_none_is_an_error(tmp_path: Path, data: bytes) -> None:
    ask = Ask(ID, AskKind.FRAMES)
    (tmp_path / ask.answer_name).write_bytes(data)

    with pytest.raises(OSError, match="the answer is not"):
        fetch(tmp_path, ask)


def test_a_start_removes_what_an_earlier_daemon_left(tmp_path: Path) -> None:
    ask = Ask(ID, AskKind.FRAMES)
    put(tmp_path, ask)
    (tmp_path / ask.answer_name).write_bytes(b"")
    (tmp_path / "state.json").write_bytes(b"")
    clear(tmp_path, Disk())

    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
