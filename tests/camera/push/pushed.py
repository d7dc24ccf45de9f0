"""Images and predictions as an application sends them, and an intake for one camera."""

import json
from typing import Any

import cv2
import numpy as np

from agent.camera.push.door import PushDoor
from agent.camera.push.intake import PushCamera, PushIntake
from agent.camera.push.source import PushSource
from agent.domain import ModelInfo, Pixels, Task
from tests.fakes.clock import ManualClock

AGENT_MODEL = ModelInfo("agents", "0" * 64, Task.DETECT, "CPUExecutionProvider", ("car", "pill"))


def noisy_pixels(width: int = 64, height: int = 48, seed: int = 0) -> Pixels:
    """Return noise: no two images are equal."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, 3), np.uint8)


def image_file(kind: str = ".jpg", *, width: int = 64, height: int = 48, seed: int = 0) -> bytes:
    """Return an image file that OpenCV encodes."""
    _, data = cv2.imencode(kind, noisy_pixels(width, height, seed))
    return data.tobytes()


def one_pill(**changes: Any) -> dict[str, Any]:
    """Return a detection of a pill."""
    return {"label": "pill", "confidence": 0.9, "box": [10, 10, 20, 30], **changes}


def predictions_of(*detections: dict[str, Any], **model: Any) -> bytes:
    """Return the JSON of detections; `model` adds fields of the model."""
    about = {"name": "counter", **model}
    return json.dumps({"model": about, "detections": detections}).encode()


class PushedCamera:
    """A `push:` camera called "line", from the intake to the frames that are read."""

    def __init__(
        self,
        *,
        fps: float = 0.0,
        stall: float = 20.0,
        task: Task | None = None,
        redact: tuple[str, ...] = (),
        model: ModelInfo = AGENT_MODEL,
        step: float = 0.0,
        longest_wait: float = 0.0,
    ) -> None:
        """`step`: seconds that pass at each reading of the clock, while nobody sends a frame."""
        self.clock = ManualClock(step=step)
        self.door = PushDoor("line", fps=fps, clock=self.clock)
        self.intake = PushIntake(
            [PushCamera(self.door, task)],
            others=("yard",),
            floor=0.05,
            redact=redact,
            model=lambda: model,
        )
        self.source = PushSource(
            self.door, stall=stall, clock=self.clock, boot_id="boot", longest_wait=longest_wait
        )
