"""Video files of all kinds: interlaced, joined, damaged, with several tracks, of huge size."""

import os
import re
import struct
from collections.abc import Mapping
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from agent.camera.address import parse_cameras
from agent.camera.length import length_of
from agent.camera.recording import Recording
from agent.domain import Frame
from agent.errors import CameraLost
from tests.camera.peak_memory import peak_memory
from tests.fakes.clock import ManualClock


def recording(path: Path, fps: float = 0) -> Recording:
    [address] = parse_cameras(f"'demo={path}'")
    return Recording(address, fps=fps, clock=ManualClock())


def frames_of(path: Path, fps: float = 0) -> list[Frame]:
    source = recording(path, fps)
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    source.close()
    return frames


def counted(path: Path) -> tuple[int, object]:
    [address] = parse_cameras(f"'demo={path}'")
    length = length_of(address, fps=5)
    return length.frames, length.seconds


def why_lost(path: Path) -> str:
    source = recording(path)
    with pytest.raises(CameraLost) as caught:
        source.read()
    source.close()
    return str(caught.value)


def scene(number: int, width: int = 160, height: int = 96) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A colour gradient with a bar that moves: no two frames are equal."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(40, 200, width).astype(np.uint8)
    pixels[..., 1] = np.linspace(40, 200, height).astype(np.uint8)[:, np.newaxis]
    left = 4 * number % (width - 16)
    pixels[:, left : left + 16] = 230
    return pixels


X264 = {"preset": "ultrafast", "bf": "0"}


class Track:
    """What one video track of a test file contains."""

    def __init__(
        self,
        codec: str = "libx264",
        *,
        frames: int = 20,
        rate: int = 10,
        size: tuple[int, int] = (160, 96),
        layout: str = "yuv420p",
        interlaced: bool = False,
        options: Mapping[str, str] = X264,
    ) -> None:
        self.codec, self.frames, self.rate, self.size = codec, frames, rate, size
        self.layout, self.interlaced = layout, interlaced
        self.options = dict(options) if codec == "libx264" else {}


def write(path: Path, *tracks: Track, pixels: Any = scene) -> Path:
    with av.open(str(path), "w") as container:
        streams = []
        for track in tracks:
            stream: Any = container.add_stream(track.codec, rate=track.rate, options=track.options)
            stream.width, stream.height = track.size
            stream.pix_fmt = track.layout
            stream.codec_context.time_base = Fraction(1, track.rate)
            if track.interlaced:
                stream.codec_context.flags |= (1 << 18) | (1 << 29)  # interlaced DCT and motion
            streams.append((track, stream))
        for track, stream in streams:
            for number in range(track.frames):
                shown = pixels(number, *track.size)
                layout = "rgba" if shown.shape[2] == 4 else "rgb24"
                frame = av.VideoFrame.from_ndarray(shown, format=layout)
                frame = frame.reformat(format=track.layout)
                frame.pts, frame.time_base = number, Fraction(1, track.rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


INTERLACED = {
    "h264.mp4": Track(interlaced=True, options=X264 | {"x264-params": "tff=1"}),
    "h264.ts": Track(interlaced=True, options=X264 | {"x264-params": "bff=1"}),
    "h264.mkv": Track(interlaced=True, options=X264 | {"x264-params": "tff=1"}),
    "mpeg2.mpg": Track("mpeg2video", rate=25, interlaced=True),
    "mpeg2.ts": Track("mpeg2video", rate=25, interlaced=True),
    "mpeg4.avi": Track("mpeg4", interlaced=True),
    "dv.avi": Track("dvvideo", rate=25, size=(720, 576)),
}


@pytest.mark.parametrize("name", INTERLACED)
def test_interlaced_frames_are_decoded(tmp_path: Path, name: str) -> None:
    """Other decoders report them, but write no pixels: what was in memory before is shown."""
    track = INTERLACED[name]
    path = write(tmp_path / name, track)

    frames = frames_of(path)

    assert len(frames) == track.frames
    for number, frame in enumerate(frames):
        expected = scene(number, *track.size)[:, :, ::-1].astype(int)
        assert np.mean(np.abs(frame.pixels - expected)) < 12


def test_the_interlaced_test_files_are_interlaced(tmp_path: Path) -> None:
    for name, track in INTERLACED.items():
        with av.open(str(write(tmp_path / name, track))) as container:
            assert next(container.decode(video=0)).interlaced_frame, name


def joined(folder: Path, *tracks: Track) -> Path:
    path = folder / "joined.ts"
    parts = [write(folder / f"{n}.ts", track) for n, track in enumerate(tracks)]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def test_frames_have_their_own_size_when_it_changes_in_mid_stream(tmp_path: Path) -> None:
    path = joined(tmp_path, Track(size=(320, 180)), Track(size=(160, 120)))

    frames = frames_of(path)

    assert [frame.pixels.shape[:2] for frame in frames] == [(180, 320)] * 20 + [(120, 160)] * 20
    expected = scene(5, 160, 120)[:, :, ::-1].astype(int)
    assert np.mean(np.abs(frames[25].pixels - expected)) < 12


@pytest.mark.parametrize("length", [30, 33])
@pytest.mark.parametrize("parts", [2, 3])
def test_joined_parts_are_counted_whole(tmp_path: Path, parts: int, length: int) -> None:
    """The header of the first part states its own length, and time begins again in each.

    Packets are numbered: parts of most lengths look as if some were missing between them.
    """
    path = joined(tmp_path, *[Track(frames=length)] * parts)

    frames = frames_of(path)

    assert counted(path) == (length * parts, pytest.approx(length / 10 * parts, abs=0.02))
    assert len(frames) == length * parts
    assert [frame.at for frame in frames] == pytest.approx([n / 10 for n in range(length * parts)])


def test_joined_parts_of_different_rates_keep_their_speed(tmp_path: Path) -> None:
    path = joined(tmp_path, Track(rate=10), Track(rate=5))

    assert counted(path) == (40, pytest.approx(6.0, abs=0.2))
    assert frames_of(path)[-1].at == pytest.approx(5.9, abs=0.2)


def test_frames_that_are_stored_out_of_order_count_once(tmp_path: Path) -> None:
    path = write(tmp_path / "b.mp4", Track(frames=40, options={"bf": "3", "g": "20"}))

    assert counted(path) == (40, pytest.approx(4.0))


def test_a_file_that_is_cut_off_has_the_length_that_is_left(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.mkv", Track(frames=50, options=X264 | {"g": "5"}))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    frames, seconds = counted(cut)

    assert 15 < frames < 35
    assert seconds == pytest.approx(frames / 10, abs=0.11)
    assert abs(len(frames_of(cut)) - frames) <= 1


def test_frames_with_missing_data_are_skipped_and_counted(tmp_path: Path) -> None:
    data = bytearray(
        write(tmp_path / "whole.ts", Track(frames=40, options=X264 | {"g": "20"})).read_bytes()
    )
    lost = len(data) // 188 // 4 * 188  # within the first half
    del data[lost : lost + 188]
    path = tmp_path / "lost.ts"
    path.write_bytes(data)
    source = recording(path)

    indexes = []
    while (frame := source.read()) is not None:
        indexes.append(frame.source_frame)

    assert source.unreadable > 0
    assert re.match(r"frame \d+: data is missing", source.why_unreadable)
    assert len(indexes) + source.unreadable in (39, 40)
    assert indexes[0] == 0
    assert indexes[-1] == len(indexes) + source.unreadable - 1  # intact again after a key frame


def test_the_default_track_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "two.mp4", Track(size=(64, 48)), Track())

    assert frames_of(path)[0].pixels.shape == (48, 64, 3)


def test_a_thumbnail_track_is_not_taken_for_the_video(tmp_path: Path) -> None:
    """Even where it comes first."""
    thumbnail = Track("mjpeg", frames=1, size=(64, 48), layout="yuvj420p")
    path = write(tmp_path / "two.mkv", thumbnail, Track())

    assert {frame.pixels.shape for frame in frames_of(path)} == {(96, 160, 3)}
    assert counted(path)[0] == 20


def song_with_cover() -> bytes:
    """An MP3 file of silence whose ID3 tag holds a JPEG."""
    cover = BytesIO()
    Image.new("RGB", (32, 32), (200, 30, 30)).save(cover, "JPEG")
    content = b"\0image/jpeg\0\x03\0" + cover.getvalue()
    frame = b"APIC" + struct.pack(">I", len(content)) + b"\0\0" + content
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    silence = (b"\xff\xfb\x90\x64" + bytes(413)) * 40
    return b"ID3\x03\0\0" + size + frame + silence


def test_an_audio_file_with_a_cover_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(song_with_cover())

    assert "it has only a cover image" in why_lost(path)


def test_transparent_frames_do_not_show_what_is_hidden_in_them(tmp_path: Path) -> None:
    def hidden(number: int, width: int, height: int) -> Any:
        alpha = np.full((height, width, 1), 255, np.uint8)
        alpha[: height // 2] = 0
        return np.concatenate([scene(number, width, height), alpha], axis=2)

    path = write(tmp_path / "a.mov", Track("png", frames=2, layout="rgba"), pixels=hidden)

    pixels = frames_of(path)[0].pixels
    assert np.all(pixels[:40] == 114)
    assert pixels[60:].std() > 10


def growing_video(path: Path) -> Path:
    """A video whose second frame has 9,000 x 9,000 pixels."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuvj420p"
        for number, size in enumerate(((160, 96), (9_000, 9_000))):
            file = BytesIO()
            Image.new("RGB", size, (90, 120, 150)).save(file, "JPEG")
            packet = av.Packet(file.getvalue())
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base, packet.is_keyframe = Fraction(1, 10), True
            container.mux(packet)
    return path


@pytest.mark.parametrize(("layout", "colours"), [("gray16le", 1), ("rgb48le", 3)])
def test_frames_of_16_bits_are_scaled_by_the_bits_that_they_use(
    tmp_path: Path, layout: str, colours: int
) -> None:
    ramp = np.linspace(0, 4095, 160 * 96).reshape(96, 160).astype(np.uint16)
    values = np.stack([ramp, ramp // 2, ramp // 4], axis=2) if colours == 3 else ramp
    path = tmp_path / "deep.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 96, layout
        frame = av.VideoFrame.from_ndarray(values, format=layout)
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    [shown] = frames_of(path)

    assert np.array_equal(shown.pixels[..., 2], (ramp >> 4).astype(np.uint8))
    assert int(shown.pixels[-1, -1, 0]) == (63 if colours == 3 else 255)


def huge_video(folder: Path, suffix: str) -> Path:
    """A video of 160 x 96 pixels whose JPEGs state 15,000 x 15,000: FFmpeg alone takes that."""
    codec = Track("mjpeg", frames=3, layout="yuvj420p")
    data = bytearray(write(folder / f"a{suffix}", codec).read_bytes())
    for frame in list(re.finditer(rb"\xff\xc0\x00\x11", data)):
        data[frame.start() + 5 : frame.start() + 9] = struct.pack(">HH", 15_000, 15_000)
    path = folder / f"huge{suffix}"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("suffix", "good"), [(".avi", 0), (".mov", 0), (".mkv", 0), (".mkv", 1)])
def test_a_video_that_states_a_huge_size_is_refused_without_the_memory_for_it(
    tmp_path: Path, suffix: str, good: int
) -> None:
    path = growing_video(tmp_path / "a.mkv") if good else huge_video(tmp_path, suffix)

    frames, memory = peak_memory(READ_ALL, str(path))

    assert int(frames) == good
    assert memory < 50_000_000


READ_ALL = """
from agent.camera.address import parse_camera
from agent.camera.recording import Recording
from agent.errors import CameraLost
from tests.fakes.clock import ManualClock

source, frames = Recording(parse_camera(sys.argv[1]), fps=0, clock=ManualClock()), 0
begin()
try:
    while source.read() is not None:
        frames += 1
except CameraLost:
    pass
print(frames)
"""


def test_a_video_whose_header_states_a_huge_size_is_refused_with_the_reason(
    tmp_path: Path,
) -> None:
    data = write(tmp_path / "a.avi", Track("mjpeg", frames=3, layout="yuvj420p")).read_bytes()
    path = tmp_path / "huge.avi"
    path.write_bytes(data.replace(struct.pack("<II", 160, 96), struct.pack("<II", 16_000, 16_000)))

    assert "16000x16000 pixels: at most 16384 pixels a side" in why_lost(path)


@pytest.mark.parametrize("name", ["clip.mp4", "image.jpg"])
@pytest.mark.timeout(60)
def test_a_file_that_becomes_a_fifo_while_it_is_opened_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.write_bytes(b"content")
    really_open = os.open

    def swap(*arguments: Any, **keywords: Any) -> int:
        path.unlink()
        os.mkfifo(path)
        return really_open(*arguments, **keywords)

    monkeypatch.setattr(os, "open", swap)
    assert "it is neither a file nor a folder: it is a FIFO" in why_lost(path)


@pytest.mark.timeout(60)
def test_a_link_to_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").symlink_to("/dev/zero")

    assert "it is a device, not a regular file" in why_lost(tmp_path / "clip.mp4")


def test_a_playlist_is_not_followed(tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.ts", Track())
    playlist = tmp_path / "clip.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{clip}\n#EXT-X-ENDLIST\n")
    concat = tmp_path / "clip.ffconcat"
    concat.write_text(f"ffconcat version 1.0\nfile {clip.name}\n")

    assert "FFmpeg finds no video in it" in why_lost(playlist)
    assert "FFmpeg finds no video in it" in why_lost(concat)


def test_one_image_is_a_recording_of_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(scene(0)).save(path)

    [frame] = frames_of(path)

    assert np.array_equal(frame.pixels, scene(0)[:, :, ::-1])
    assert counted(path) == (1, 0.2)


def test_one_damaged_image_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")

    assert "image.png: cannot use the image: HEIC is not supported" in why_lost(path)
