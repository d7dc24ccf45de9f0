"""The published state: any text in it survives, and what is no state is none."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.exchange.state import (
    STATE_BYTES,
    STATE_FILE,
    CameraState,
    DaemonState,
    FeedbackState,
    Limits,
    decoded,
    encoded,
    read_state,
)

CAMERA = CameraState("gate", "live", since_at=1.0, last_frame_at=2.5, fps=5.0, width=640)
STATE = DaemonState(
    process=7,
    process_start=70,
    boot="b",
    phase="running",
    at=3.0,
    wall=1_780_000_000.0,
    started_at=1.0,
    interval=2.0,
    version="0.1.0",
    device="gate-3",
    limits=Limits(100.0, 2_000_000_000, 0, 20.0, 5.0),
    cameras=(CAMERA,),
    stalled=("writer",),
    feedback=FeedbackState("ab" * 32, "2026-11-29T12:00:00.000Z", 41, "flicker below: x0.2"),
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.text(), st.text())
def test_any_text_survives(error: str, name: str) -> None:
    state = replace(
        STATE, last_error=error, model=name, cameras=(replace(CAMERA, error=f"\udcff{error}"),)
    )

    assert encoded(state).isascii()
    assert decoded(encoded(state)) == state


@given(st.sampled_from(sorted(json.loads(encoded(STATE)))), JSON)
def test_a_field_of_another_type_is_no_state_or_the_same_type(field: str, value: Any) -> None:
    raw = {**json.loads(encoded(STATE)), field: value}
    try:
        state = decoded(json.dumps(raw).encode())
    except ValueError:
        return
    assert isinstance(state, DaemonState)
    assert decoded(encoded(state)) == state


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_state_is_a_value_error(data: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        decoded(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"[" * 100_000, b'{"schema": 1}', b'{"schema": 2}', b" " * (STATE_BYTES + 1), b"\xff"],
)
def test_a_file_that_holds_no_state_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / STATE_FILE).write_bytes(data)

    assert read_state(tmp_path) is None


def test_a_pipe_in_place_of_the_state_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / STATE_FILE)

    assert read_state(tmp_path) is None


def test_a_missing_field_is_no_state() -> None:
    raw = json.loads(encoded(STATE))
    for field in raw:
        less = {name: value for name, value in raw.items() if name != field}
        with pytest.raises(ValueError, match=r"missing|version|lists|object"):
            decoded(json.dumps(less).encode())
