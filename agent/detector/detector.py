"""Pixels in, detections out: the way through the station."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agent.detector.bundled import COCO_80, FILE_NAME, bundled_model
from agent.detector.formats import AUTO, choose
from agent.detector.formats.contract import Format, RawDetections
from agent.detector.labels import resolve_labels
from agent.detector.letterbox import Letterbox, Size
from agent.detector.nms import suppressed
from agent.detector.preparation import InputBuffer
from agent.detector.session import OnnxSession
from agent.domain import Answer, Box, Detection, ModelInfo, Pixels
from agent.errors import ConfigurationError


class OnnxDetector:
    """A loaded model of a known format. `detect` may be called by several threads at once."""

    def __init__(
        self,
        session: OnnxSession,
        model_format: Format,
        *,
        decided: str,
        labels: tuple[str, ...],
        floor: float,
    ) -> None:
        """Wire what `load_detector` found; `labels` has one for each class of the format."""
        self.info = ModelInfo(
            name=session.path.stem,
            sha256=session.sha256,
            task="detect",
            provider=session.provider,
            labels=labels,
        )
        self.decided = decided
        """The format's name, and why this one."""
        self._session = session
        self._format = model_format
        self._preparation = model_format.preparation(session.signature)
        self._floor = floor
        self._own = threading.local()

    def detect(self, pixels: Pixels) -> Answer:
        """Return the detections at or above the floor, highest confidence first, at most 300.

        Boxes are in pixels of `pixels`, inside its edges, and have an area. Any shape of at
        least 1 x 1 is accepted.
        """
        letterbox = self._letterbox(pixels)
        outputs = self._session.run(self._buffer().fill(pixels, letterbox))
        raw = self._format.decode(outputs, size=letterbox.input, floor=self._floor)
        found = self._detections(suppressed(raw, iou=self._format.nms_iou), letterbox)
        return Answer(self.info, found)

    def _letterbox(self, pixels: Pixels) -> Letterbox:
        height, width = pixels.shape[:2]
        frame, wanted = Size(width, height), self._preparation
        size = self._session.input_size(frame, wanted.size, wanted.stride)
        return Letterbox.fit(frame, size, padding=wanted.padding)

    def _buffer(self) -> InputBuffer:
        """Return the buffer of this thread."""
        buffer: InputBuffer | None = getattr(self._own, "buffer", None)
        if buffer is None:
            buffer = InputBuffer(self._preparation, self._session.signature.input.dtype)
            self._own.buffer = buffer
        return buffer

    def _detections(self, raw: RawDetections, letterbox: Letterbox) -> tuple[Detection, ...]:
        boxes = letterbox.to_frame(raw.boxes)
        with_area = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
        labels = self.info.labels
        return tuple(
            Detection(labels[class_id], class_id, confidence, Box(*box))
            for box, confidence, class_id in zip(
                boxes[with_area].tolist(),
                raw.confidences[with_area].tolist(),
                raw.class_ids[with_area].tolist(),
                strict=True,
            )
        )


def load_detector(
    path: Path | None = None,
    *,
    model_format: str = AUTO,
    labels: str = AUTO,
    sha256: str | None = None,
    providers: Sequence[str] = (),
    threads: int = 1,
    floor: float = 0.05,
) -> OnnxDetector:
    """Load a model, find out how to read it, and make sure that it runs.

    Args:
        path: An ONNX file; None for the model that comes with the agent.
        model_format: A name of `formats.FORMATS`, or "auto".
        labels: As AGENT_MODEL_LABELS: "auto", a list, or a file.
        sha256: The hex digest that the file must have, or None for any.
        providers: onnxruntime execution providers, best first; empty or "auto" for what is there.
        threads: Threads of one run.
        floor: Detections of a lower confidence do not exist, 0 to 1.

    Raises:
        ConfigurationError: The model cannot be used as it is configured; says what mends it.
    """
    session = OnnxSession(
        path or bundled_model(), sha256=sha256, providers=providers, threads=threads
    )
    try:
        choice = choose(model_format, session.signature)
        classes = choice.format.classes(session.signature)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"cannot read the outputs of the model {session.path} (AGENT_MODEL): {error}; "
            f"it has {session.signature}"
        ) from error
    return OnnxDetector(
        session,
        choice.format,
        decided=f"{choice.format.name}: {choice.reason}",
        labels=resolve_labels(
            labels,
            classes=classes,
            written=session.signature.metadata.labels,
            model=session.path,
            known=COCO_80 if session.path.name == FILE_NAME else None,
        ),
        floor=floor,
    )
