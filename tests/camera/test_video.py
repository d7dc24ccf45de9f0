"""Frames of damaged streams are told from intact ones; each frame has its own size and format."""

import io
import math
import random
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import FFmpegError

from agent.camera.source_options import MAX_PIXELS
from agent.camera.video.decoder import FORMATS, Video
from agent.domain import Pixels
from agent.errors import CameraLost, UnusableImage
from tests.camera.encoded import H264, clip_frames, encode

PACKET = 188  # bytes of an MPEG transport stream
VIDEO_ID = 256  # of ffmpeg's first video track
MOST_ERROR = 20.0  # mean squared error of an intact frame; of smeared ones it is in the hundreds
ENCODERS = {
    "h264": ("libx264", H264),
    "h264 with B frames": ("libx264", {**H264, "bf": "3"}),
    "h265": ("libx265", {"preset": "ultrafast", "x265-params": "keyint=25:log-level=none"}),
    "mpeg4": ("mpeg4", {"g": "25", "b": "800000"}),
}


def lossy(stream: bytes, seed: int, rate: float = 0.006) -> bytes:
    """Drop packets of the video at random, but none of the first 60."""
    chance = random.Random(seed)
    packets = [stream[at : at + PACKET] for at in range(0, len(stream), PACKET)]
    return b"".join(
        packet
        for n, packet in enumerate(packets)
        if n < 60 or (int.from_bytes(packet[1:3]) & 0x1FFF) != VIDEO_ID or chance.random() >= rate
    )


def decoded(stream: bytes) -> Iterator[tuple[bool, Pixels]]:
    """Yield each frame, and whether it is intact."""
    video = Video(io.BytesIO(stream), options={"format_whitelist": FORMATS})
    try:
        while video.grab():
            yield video.intact, video.retrieve()
    finally:
        video.close()


@pytest.mark.parametrize("name", ENCODERS)
def test_no_smeared_frame_passes_as_intact(clip: Path, name: str) -> None:
    codec, options = ENCODERS[name]
    stream = encode(clip_frames(clip, 100), codec, options)
    originals = [pixels.astype(np.int16)[::4, ::4] for _, pixels in decoded(stream)]
    passed = smeared = refused = 0
    for seed in range(2):
        for intact, pixels in decoded(lossy(stream, seed)):
            small = pixels[::4, ::4]
            error = min(float(np.mean((small - each) ** 2)) for each in originals)
            passed += intact
            refused += not intact
            smeared += intact and error > MOST_ERROR

    assert smeared == 0
    assert refused > 20
    assert passed > 5


def test_all_frames_of_a_whole_stream_are_intact(clip: Path) -> None:
    frames = clip_frames(clip, 40)
    for codec, options in ENCODERS.values():
        intact = [each for each, _ in decoded(encode(frames, codec, options))]
        assert intact == [True] * 40


def test_frames_are_intact_again_from_the_next_key_frame(clip: Path) -> None:
    stream = encode(clip_frames(clip, 100))
    packets = [stream[at : at + PACKET] for at in range(0, len(stream), PACKET)]
    del packets[len(packets) // 2]
    intact = [each for each, _ in decoded(b"".join(packets))]
    first = intact.index(False)
    again = intact.index(True, first)

    assert not any(intact[first:again])
    assert all(intact[again:])
    assert again - first <= 25


def test_a_stream_that_changes_its_size_or_format_is_not_distorted(clip: Path) -> None:
    large, small = clip_frames(clip, 10, (640, 360)), clip_frames(clip, 10, (320, 240))
    layouts = ["yuv420p", "yuv422p", "yuv444p10le", "gray"]
    stream = encode(large) + b"".join(encode(small, layout=layout) for layout in layouts)
    frames = [pixels for _, pixels in decoded(stream)]

    assert [frame.shape for frame in frames] == [(360, 640, 3)] * 10 + [(240, 320, 3)] * 40
    for part in (frames[10:20], frames[20:30], frames[30:40]):
        for frame, expected in zip(part, small, strict=True):
            assert float(np.mean(np.abs(frame.astype(int) - expected))) < 10


def test_an_enormous_video_is_refused_before_it_takes_memory() -> None:
    side = math.isqrt(MAX_PIXELS) // 2 * 2 + 2
    frame = np.broadcast_to(np.uint8(60), (side, side, 3))
    stream = encode([np.ascontiguousarray(frame)], "mpeg4", {})
    refused = False
    try:
        passed = [pixels.shape for _, pixels in decoded(stream)]
    except (CameraLost, FFmpegError, UnusableImage):
        refused = True
    assert refused or not passed


@pytest.mark.parametrize(
    "data", [b"", b"no video", b"#EXTM3U\nx.ts\n", b"v=0\r\nm=video 5 RTP/AVP 96\r\n", b"\0" * 9999]
)
def test_what_is_no_video_is_refused(data: bytes) -> None:
    with pytest.raises((FFmpegError, CameraLost)):
        list(decoded(data))


def test_a_file_without_a_video_track_is_refused() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        track = container.add_stream("mp2", rate=44100)
        silence = av.AudioFrame(format="s16", layout="stereo", samples=1152)
        silence.sample_rate = 44100
        for packet in [*track.encode(silence), *track.encode(None)]:
            container.mux(packet)
    with pytest.raises(CameraLost, match="no video track"):
        list(decoded(file.getvalue()))
