"""A recording's frames with what the model says of them, in order, several analysed at once."""

import re
import shlex
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from agent.camera.address import DEFAULT_NAME, CameraAddress, parse_cameras
from agent.camera.recording import Recording
from agent.camera.thumbnail import small_grey
from agent.domain import Frame, Observation
from agent.ports import Detector
from agent.system import uuid7

_AHEAD = 4  # frames read ahead for each worker


def address_of(source: str) -> CameraAddress:
    """The recording at a path, named after it; raises `ValueError` for what cannot be a path."""
    [address] = parse_cameras(shlex.quote(f"{DEFAULT_NAME}={source}"))
    if address.live:
        raise ValueError(f"{address.shown} is a camera; give a video file or a folder of images")
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(source).absolute().stem).strip("-")[:64]
    return replace(address, name=name or DEFAULT_NAME)


class RecordingTime:
    """The clock of a recording: it begins in 1970, because nobody knows when it was made."""

    def monotonic(self) -> float:
        """Nothing is measured with it."""
        return 0.0

    def wall(self) -> float:
        """Each frame gets its position instead."""
        return 0.0


class CaptureIds:
    """Ids that the seed, the recording and the frame's position alone decide."""

    def __init__(self, seed: str, recording: str) -> None:
        self._key = f"{seed}\0{recording}\0"

    def __call__(self, wall: float) -> str:
        """The id of the capture of the frame at this position."""
        digest = blake2b((self._key + repr(wall)).encode(), digest_size=10).digest()
        return uuid7(wall, int.from_bytes(digest))


def observations(source: Recording, detector: Detector, *, workers: int) -> Iterator[Observation]:
    """Analyse each due frame; raises as `Recording.read`."""
    waiting: deque[Future[Observation]] = deque()
    with ThreadPoolExecutor(workers, "inference") as pool:
        frame = source.read()
        while frame is not None:
            own = replace(frame, captured_at=frame.at, monotonic_ns=int(frame.at * 1e9))
            waiting.append(pool.submit(_observe, detector, own))
            if len(waiting) > workers * _AHEAD:
                yield waiting.popleft().result()
            frame = source.read()
        while waiting:
            yield waiting.popleft().result()


def _observe(detector: Detector, frame: Frame) -> Observation:
    answer = detector.detect(frame.pixels)
    return Observation(
        frame,
        answer.detections,
        grey=small_grey(frame.pixels),
        classes=answer.classes,
        invalid=answer.invalid,
        model=answer.model,
    )
