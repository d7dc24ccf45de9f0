"""Rows of any content, for the tests of the store."""

import struct

import numpy as np
from hypothesis import strategies as st

from agent.pool.rows import PoolRow, RowSuspect, frame_key
from agent.selection.feedback import Side
from agent.selection.similarity import CROP_SIDE

_TEXT = st.text(max_size=12)  # with surrogates of names that are not UTF-8, and with NUL
_NUMBER = st.floats(allow_nan=False)
_FEATURE = st.binary(min_size=128, max_size=128).map(
    lambda data: np.array(struct.unpack("64e", data), np.float16)
)
_SUSPECT = st.builds(
    RowSuspect,
    rule=_TEXT,
    side=st.sampled_from(Side),
    p=st.floats(0, 1),
    label=_TEXT,
    box=st.none() | st.tuples(_NUMBER, _NUMBER, _NUMBER, _NUMBER),
    track=st.none() | st.integers(0, 2**60),
    reason=_TEXT,
    crop=st.none() | st.binary(min_size=CROP_SIDE**2, max_size=CROP_SIDE**2),
    feature=st.none() | _FEATURE,
)


def any_row(item: st.SearchStrategy[str] = _TEXT) -> st.SearchStrategy[PoolRow]:
    """Rows of images and of frames."""
    return st.builds(
        lambda item, frame, **values: PoolRow(
            item if frame is None else frame_key(item, frame), frame=frame, **values
        ),
        item=item,
        frame=st.none() | st.integers(0, 2**40),
        id=_TEXT,
        camera=_TEXT,
        at=_NUMBER,
        width=st.integers(0, 2**31 - 1),
        height=st.integers(0, 2**31 - 1),
        sha256=_TEXT,
        bits=st.none() | st.integers(0, 2**256 - 1),
        digest=_TEXT,
        is_degraded=st.booleans(),
        is_unusable=st.booleans(),
        suspects=st.lists(_SUSPECT, max_size=3).map(tuple),
        source=_TEXT,
        record=st.binary(max_size=50),
        version=st.integers(0, 2**64 - 1),
        other_model=_TEXT,
        problem=_TEXT,
    )


def features_of(row: PoolRow) -> list[list[str] | None]:
    """The features of a row, which `==` does not compare."""
    return [
        [repr(float(number)) for number in each.feature] if each.feature is not None else None
        for each in row.suspects
    ]
