"""Dataset folders to review: made of small drawn images, through the code that stores captures."""

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np

from agent.dataset.folder import Dataset
from agent.files import Disk
from agent.ports import Clock
from agent.record.timestamp import timestamp
from agent.review.service import REVIEW_LIMITS, ReviewTerms, served
from agent.web.limits import WebLimits
from agent.web.listening import Listening
from tests.fakes.api import ApiClient
from tests.fakes.captures import RANDOM_SLOT, capture_id, record_of
from tests.fakes.clock import WALL
from tests.fakes.log import Recorder

WIDTH, HEIGHT = 200, 100
"""Pixels of an image; `record_of` has a car at 10, 20 to 110, 70 in it."""


def drawn(number: int) -> bytes:
    """Return a JPEG that differs from those of other numbers."""
    pixels = np.full((HEIGHT, WIDTH, 3), (60 + number % 90, 70, 80), np.uint8)
    cv2.rectangle(pixels, (10, 20), (110, 70), (200, 120, number % 256), -1)
    _, data = cv2.imencode(".jpg", pixels)
    return data.tobytes()


class ReviewFolder:
    """A dataset folder that captures are put into."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._dataset = Dataset(path, Disk(inside=path))

    def put(self, number: int, **changes: Any) -> str:
        """Store the capture of this number and return its id; `changes` are of its record."""
        image = drawn(number)
        record = record_of(number, image, **changes)
        if record["lane"] == "random":
            record["sampling"] = RANDOM_SLOT
        if "classes" in record:
            del record["detections"]
        with mock.patch("agent.files.os.fsync"):  # it takes most of the time
            self._dataset.store(json.dumps(record).encode(), image)
        return capture_id(number)

    @property
    def lines(self) -> list[Mapping[str, Any]]:
        """The lines of `verdicts.jsonl`."""
        file = self.path / "verdicts.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def labels(self, number: int) -> str:
        """The YOLO rows of a capture."""
        return (self.path / "labels" / f"{capture_id(number)}.txt").read_text()


def review(number: int, verdict: str = "right", *, after: float = 0, **more: Any) -> dict[str, Any]:
    """Return a review as the page sends it; `after`: seconds after the clock of the tests began."""
    at = timestamp(WALL + after)
    return {"id": capture_id(number), "by": "Ann", "verdict": verdict, "at": at, **more}


@contextlib.contextmanager
def served_folder(
    path: Path,
    *,
    clock: Clock,
    disk: Disk | None = None,
    terms: ReviewTerms | None = None,
    limits: WebLimits = REVIEW_LIMITS,
) -> Iterator[ApiClient]:
    """Serve the review page of a folder on a free port of loopback."""
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    with served(
        path,
        Listening(tcp),
        "127.0.0.1",
        terms or ReviewTerms(),
        disk=disk or Disk(inside=path),
        clock=clock,
        log=Recorder().log,
        limits=limits,
    ):
        yield ApiClient(port=port)
