"""A frame that was lost as a whole is found by the numbers of the others."""

import io
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.camera.video.h264_frame_numbers import FrameNumbers
from tests.camera.encoded import H264, clip_frames, encode

VARIANTS = {
    "baseline": ({**H264, "profile": "baseline"}, "yuv420p"),
    "B frames": ({**H264, "bf": "3", "refs": "5"}, "yuv420p"),
    "high 10": ({**H264, "profile": "high10"}, "yuv420p10le"),
    "4:4:4": ({**H264, "profile": "high444"}, "yuv444p"),
    "matrices": ({**H264, "x264-params": "cqm=jvt"}, "yuv420p"),
    "interlaced": ({**H264, "x264-params": "interlaced=1"}, "yuv420p"),
    "slices": ({**H264, "x264-params": "slices=5"}, "yuv420p"),
    "no key frames": ({**H264, "x264-params": "intra-refresh=1"}, "yuv420p"),
}


def packets(stream: bytes) -> list[bytes]:
    """Return the frames of a transport stream, in the order of decoding."""
    with av.open(io.BytesIO(stream), "r") as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("name", VARIANTS)
def test_only_the_loss_of_a_frame_is_a_gap(clip: Path, name: str) -> None:
    options, layout = VARIANTS[name]
    frames = packets(encode(clip_frames(clip, 60), options=options, layout=layout))
    assert len(frames) == 60
    whole = FrameNumbers()
    assert not any(whole.is_gap(frame) for frame in frames)

    found, needed = 0, 0
    for lost in range(1, 59):
        numbers = FrameNumbers()
        gaps = [numbers.is_gap(frame) for n, frame in enumerate(frames) if n != lost]
        importance = frames[lost][frames[lost].rindex(b"\0\0\1") + 3] >> 5
        is_key_next = any(kind in frames[lost + 1] for kind in (b"\0\0\1\x65", b"\0\0\1\x67"))
        if importance and not is_key_next and b"\0\0\1\x67" not in frames[lost]:
            needed += 1
            found += any(gaps)
        elif not importance:
            assert not any(gaps)
    assert needed > 10
    assert found == needed


@given(st.lists(st.binary(max_size=200).map(lambda data: b"\0\0\1" + data), max_size=5))
def test_any_bytes_are_read_without_an_error(data: list[bytes]) -> None:
    numbers = FrameNumbers()
    for packet in data:
        numbers.is_gap(packet)
