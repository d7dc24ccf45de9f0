"""Verdicts of a real daemon, which is killed at any moment, end in the dataset, each once."""

import json
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.end_to_end.command import Daemon, quick_model, status, until
from tests.fakes.api import ApiClient

PAUSE_S = 0.25  # after each verdict
MAY_BE_LOST = 8
"""Verdicts of the 2 s that docs/verdicts.md says that a power cut may cost.

They are counted, as the seconds of a computer that stands still do not count for the daemon.
"""


class Line:
    """A daemon that gets frames and verdicts from a program beside it."""

    def __init__(self, folder: Path) -> None:
        (folder / "stick").mkdir()
        self.folder = folder
        self.dataset = folder / "stick" / "captures"
        self.settings = {
            "AGENT_CAMERAS": "line=push:",
            "AGENT_API": f"unix:{folder / 'api.sock'}",
            "AGENT_MODEL": quick_model(),
            "AGENT_UPLOAD_URL": f"dir:{self.dataset}",
        }
        self.client = ApiClient(path=folder / "api.sock")
        self.given: list[str] = []  # their notes
        self._noise = np.random.default_rng(0)

    def show(self) -> None:
        """Send a new frame; each becomes a capture, as the model is never sure."""
        pixels = self._noise.integers(0, 256, (96, 128, 3), np.uint8)
        image = cv2.imencode(".jpg", pixels)[1].tobytes()
        kind = {"Content-Type": "image/jpeg"}
        assert self.client.post("/v1/frames/line", image, kind).status < 300

    def say(self) -> None:
        """Say of the newest frame that the model is right."""
        note = f"n{len(self.given)}"
        body = {"camera": "line", "at": "-0s", "verdict": "right", "note": note}
        response = self.client.post("/v1/verdicts", body)
        if response.status == 503:  # no frame was analysed yet
            return
        assert response.status < 300, response.body
        self.given.append(note)

    def work(self, verdicts: int) -> list[str]:
        """Give so many verdicts; return their notes."""
        before = len(self.given)
        while len(self.given) < before + verdicts:
            self.show()
            self.say()
            time.sleep(PAUSE_S)
        return self.given[before:]

    def has_arrived(self, notes: set[str]) -> bool:
        """Send one more frame, which may carry verdicts; return whether all have arrived."""
        self.show()
        return notes <= set(self.arrived())

    def arrived(self) -> list[str]:
        path = self.dataset / "verdicts.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [json.loads(line)["note"] for line in lines]


@pytest.mark.slow
def test_verdicts_survive_kills_and_arrive_once(tmp_path: Path) -> None:
    line = Line(tmp_path)
    surely: set[str] = set()
    for verdicts in (9, 12, 15):
        with Daemon(tmp_path, **line.settings) as daemon:
            daemon.wait_for("api started")
            surely |= set(line.work(verdicts)[:-MAY_BE_LOST])
            daemon.signal(signal.SIGKILL)
        (tmp_path / "api.sock").unlink(missing_ok=True)

    with Daemon(tmp_path, **line.settings) as daemon:
        daemon.wait_for("api started")
        surely |= set(line.work(8))
        until(
            lambda: line.has_arrived(surely),
            every_s=0.3,
            what=lambda: f"{surely - set(line.arrived())} of {line.given}: {daemon.describe()}",
        )
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0

    arrived = line.arrived()
    assert len(arrived) == len(set(arrived)), "a verdict is there twice"
    assert surely <= set(arrived) <= set(line.given)
    assert status(tmp_path)["facts_waiting"] == 0
