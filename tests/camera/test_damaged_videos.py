"""Damaged video files are read as far as they go, or refused, within a bound of memory."""

import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from agent.camera.address import parse_camera
from agent.camera.length import length_of
from agent.camera.recording import Recording
from agent.errors import CameraLost
from tests.camera.test_video_file import Track, joined, write
from tests.fakes.clock import ManualClock

MEMORY = 2_000_000_000  # bytes of address space, libraries included
MOST_FRAMES = 500  # that a damaged file of 40 may seem to have


def damaged(data: bytes, seed: int) -> bytes:
    """Change some bytes, more of them near the beginning, and cut some files off."""
    chance, content = random.Random(seed), bytearray(data)
    for _ in range(chance.randint(1, 30)):
        end = chance.choice([64, 1000, len(content)])
        content[chance.randrange(min(end, len(content)))] = chance.randrange(256)
    if chance.random() < 0.3:
        del content[chance.randrange(1, len(content)) :]
    return bytes(content)


def read_damaged(folder: Path, first: int, last: int) -> None:
    """Read one damaged file for each seed from `first` to before `last`."""
    sources = [
        write(folder / "a.mp4", Track(frames=12, size=(64, 48))),
        write(folder / "b.mkv", Track(frames=12, size=(64, 48))),
        write(folder / "c.avi", Track("mjpeg", frames=12, size=(64, 48), layout="yuvj420p")),
        write(folder / "d.mpg", Track("mpeg2video", frames=12, rate=25, interlaced=True)),
        write(folder / "e.gif", Track("gif", frames=12, size=(64, 48), layout="rgb8")),
        joined(folder, Track(frames=12, size=(64, 48)), Track(frames=12, size=(80, 64))),
    ]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for seed in range(first, last):
        source = sources[seed % len(sources)]
        path = folder / f"damaged{source.suffix}"
        path.write_bytes(damaged(source.read_bytes(), seed))
        address = parse_camera(str(path))
        recording = Recording(address, fps=0, clock=ManualClock())
        try:
            length_of(address, fps=5)
            for _ in range(MOST_FRAMES):
                if recording.read() is None:
                    break
        except CameraLost as lost:
            message = str(lost)
        else:
            message = ""
        assert message.isprintable()
        recording.close()


def run(folder: Path, first: int, last: int) -> None:
    """In another process: a crash of a library would end the tests."""
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.camera.test_damaged_videos import read_damaged\n"
        "read_damaged(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(first), str(last)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_damaged_videos_are_read_or_refused(tmp_path: Path) -> None:
    run(tmp_path, 0, 150)


@pytest.mark.slow
def test_many_damaged_videos_are_read_or_refused(tmp_path: Path) -> None:
    run(tmp_path, 150, 4_000)
