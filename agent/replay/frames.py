"""Analyses a recording's frames, several at once, and yields the observations in order."""

import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from agent.camera.address import DEFAULT_NAME, CameraAddress, SourceKind, parse_camera
from agent.camera.thumbnail import small_grey
from agent.domain import Frame, Observation
from agent.ports import Detector, FrameSource
from agent.printable import printable
from agent.redaction import redact_camera
from agent.system import uuid7

_AHEAD = 4  # frames read ahead for each worker


def address_of(source: str) -> CameraAddress:
    """Return the address of a recording, named after it; raise `ValueError` for a live camera."""
    try:
        address = parse_camera(source)
    except ValueError as error:
        raise ValueError(f"{printable(redact_camera(source))}: {error}") from None
    if address.live:
        kind = "program" if address.kind is SourceKind.PROGRAM else "camera"
        raise ValueError(
            f"{printable(address.shown)} is a {kind}; replay reads recordings: give a video file "
            "or a folder of images"
        )
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(source).absolute().stem).strip("-")[:64]
    return replace(address, name=name or DEFAULT_NAME)


class CaptureIds:
    """Makes ids that depend only on the seed, the recording and the frame's position."""

    def __init__(self, seed: str, recording: str) -> None:
        self._key = f"{seed}\0{recording}\0"

    def __call__(self, wall: float) -> str:
        """Return the id of the capture of the frame at this position, in seconds."""
        digest = blake2b((self._key + repr(wall)).encode(), digest_size=10).digest()
        return uuid7(wall, int.from_bytes(digest))


def observations(source: FrameSource, detector: Detector, *, workers: int) -> Iterator[Observation]:
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
    return Observation.of(frame, detector.detect(frame.pixels), small_grey(frame.pixels))
