"""The size of raw frames is compared with what a program writes between two pauses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.camera.program.bursts import FrameBursts
from agent.camera.program.output import NotFrames, i420_bytes


def played(stated: tuple[int, int], bursts: list[int]) -> FrameBursts:
    checked = FrameBursts(*stated, i420_bytes(*stated))
    for burst in bursts:
        checked.take(burst)
        checked.pause()
        checked.pause()
    return checked


@pytest.mark.parametrize(
    ("stated", "written"),
    [
        ((656, 480), 460_800),  # 640x480
        ((322, 242), 118_096),  # GStreamer pads its lines to 324
        ((64, 64), 460_800),
        ((1280, 720), 1_382_400 // 3 * 4),  # another format of the same size: two bytes a pixel
    ],
)
def test_a_program_that_writes_other_amounts_is_told(stated: tuple[int, int], written: int) -> None:
    with pytest.raises(NotFrames) as error:
        played(stated, [written // 2, *[written] * 4])

    assert f"it writes {written} bytes at a time" in str(error.value)
    assert f"a frame of {stated[0]}x{stated[1]} has {i420_bytes(*stated)}" in str(error.value)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=20))
def test_whole_frames_settle_at_the_first_pause(frames: list[int]) -> None:
    assert played((64, 48), [4608 * count for count in frames[:1]]).settled
    assert played((64, 48), [4608 * count for count in frames]).settled


@pytest.mark.parametrize(
    "bursts",
    [
        [1152] * 4,  # slices of a frame
        [65_536] * 8,  # blocks of a relay
        [1000 + 7 * count for count in range(8)],  # a network
        [3000, 1608],  # a pause within the first frame
    ],
)
def test_slices_blocks_and_irregular_amounts_are_believed(bursts: list[int]) -> None:
    assert played((64, 48), bursts).settled


def test_a_program_without_pauses_is_believed() -> None:
    checked = FrameBursts(656, 480, i420_bytes(656, 480))
    for _ in range(18):
        assert not checked.settled
        checked.take(460_800)

    assert checked.settled
