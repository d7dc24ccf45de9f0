"""Runs a model on an image: preprocessing, session, format, NMS, letterbox."""

import hashlib
import threading
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.detector.columns import from_columns
from agent.detector.features import FeatureMap
from agent.detector.formats import AUTO, choose
from agent.detector.formats.class_ids import NO_LABEL, label_table
from agent.detector.formats.coco import COCO_80
from agent.detector.formats.contract import (
    AnyFormat,
    ClassNumbering,
    Layout,
    Preprocessing,
)
from agent.detector.formats.contradictions import all_misplaced
from agent.detector.formats.decoded import DecodedDetections
from agent.detector.graph_limits import NO_LIMITS, GraphLimits, find_graph_limits
from agent.detector.letterbox import Letterbox, Size
from agent.detector.map_outputs import ASK, custom_vision_input
from agent.detector.model_file.bundled import FILE_NAME, bundled_model
from agent.detector.model_file.file import ModelFile
from agent.detector.model_file.huggingface import hub_input, hub_labels
from agent.detector.model_file.input_spec import InputSpec
from agent.detector.model_file.labels import find_labels, fitting_labels
from agent.detector.model_file.sidecar import Sidecar, read_sidecar
from agent.detector.nms import non_maximum_suppression
from agent.detector.parts import with_parts
from agent.detector.preprocessing import InputBuffer, centre_crop
from agent.detector.providers import ANY_HARDWARE, Hardware
from agent.detector.session import MODEL_ERRORS, OnnxSession, one_line
from agent.domain import (
    OBJECT_TASKS,
    Box,
    ClassScore,
    Detection,
    FloatArray,
    ModelInfo,
    Pixels,
    Prediction,
    Task,
)
from agent.errors import ConfigurationError, ModelUnusable
from agent.printable import printable

TOP_CLASSES = 5
"""The number of best classes in a classifier's prediction."""

RUN_ERRORS: tuple[type[Exception], ...] = (
    *MODEL_ERRORS,
    cv2.error,
    ArithmeticError,
    LookupError,
    MemoryError,
    TypeError,
)
"""What preprocessing, a run, and the decoding of its outputs raise for a single image."""

MOST_SIZES = 64
"""Sizes of frames whose place in the input is remembered; images of a folder may all differ."""

MIN_SIDE = 0.01
"""Pixels. Narrower boxes are dropped: they are in the padding, and records round them to 0."""


class OnnxDetector:
    """A loaded model of a known format. `detect` may be called by several threads at once."""

    def __init__(
        self,
        session: OnnxSession,
        model_format: AnyFormat,
        *,
        decided: str,
        layout: Layout,
        labels: tuple[str, ...],
        preprocessing: Preprocessing,
        floor: float,
        graph_limits: GraphLimits = NO_LIMITS,
    ) -> None:
        """Use the parts that `load_detector` made; `labels` must fit `layout`."""
        self.info = ModelInfo(
            name=printable(session.path.stem),
            sha256=session.file.sha256,
            task=model_format.task,
            provider=session.provider,
            labels=labels,
            keypoint_count=(model_format.keypoint_count if model_format.task is Task.POSE else 0),
        )
        self.decided = decided
        """The format's name, and the reason for the choice."""
        self.preprocessing = preprocessing
        """How frames become the model's input."""
        self._session = session
        self._format = model_format
        self._layout = layout
        table = label_table(layout, labels)
        self._table = np.arange(len(labels)) if table is None else table
        is_same = np.array_equal(self._table, np.arange(len(self._table)))
        self._ids_are_labels = is_same and layout.numbering is not ClassNumbering.FROM_ONE
        self._floor = floor
        self._graph_limits = graph_limits
        key = f"{session.file.sha256} {session.feature_tensor.name}"
        self._feature_source = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
        self._thread_local = threading.local()
        self._letterboxes: dict[Size, Letterbox] = {}  # by the size of the frame

    @property
    def file(self) -> ModelFile:
        """The file that it was loaded from."""
        return self._session.file

    @property
    def batch_waste(self) -> str | None:
        """What work each run wastes, and how to fix it; None if it wastes none."""
        return self._session.batch_waste

    @property
    def object_features(self) -> str:
        """Say what features of objects are made from, or why there are none."""
        tensor = self._session.feature_tensor
        if not tensor.name:
            return f"no object features: {tensor.reason}"
        return f"object features from {printable(tensor.name)!r}"

    def discarded(self, seen: Collection[float] = ()) -> str | None:
        """Return which detections the graph itself discards; see `GraphLimits.discarded`."""
        return self._graph_limits.discarded(self._floor, seen)

    @property
    def description(self) -> Sidecar:
        """Format, labels and preprocessing: with the model file they make the same detector."""
        words = InputSpec.from_preprocessing(self.preprocessing)
        return Sidecar(None, self._format.name, self.info.labels, words)

    @property
    def provider_shares(self) -> dict[str, float]:
        """The share of the graph's nodes on each execution provider; empty if unknown."""
        return self._session.provider_shares()

    def detect(self, pixels: Pixels) -> Prediction:
        """Return the model's prediction for an image of at least 1 x 1.

        For a detector: at most 300 detections at or above the floor, highest confidence first;
        boxes are in pixels of `pixels`, inside its edges, and have an area; a mask is computed when
        its polygon is asked for. For a classifier: the best five classes. Invalid values in the
        output are removed, and the prediction is marked as invalid. So is one without any output,
        because the run failed: `failure` says why.
        """
        letterbox = None
        try:
            letterbox, shown = self._letterbox(pixels)
            return self._predict(letterbox, shown)
        except RUN_ERRORS as error:
            if letterbox is not None and self._session.avoid(letterbox.input):
                return self.detect(pixels)
            return Prediction(self.info, invalid=True, failure=one_line(error))

    @np.errstate(all="ignore")  # a damaged model returns anything; it is checked below
    def _predict(self, letterbox: Letterbox, shown: Pixels) -> Prediction:
        """Run the model on an image; raises `RUN_ERRORS`."""
        tensor = self._buffer().fill(shown, letterbox)
        outputs, found = self._session.run_with_map(tensor, letterbox.input, self._layout.outputs)
        if self._format.task is Task.CLASSIFY:
            return self._classes(self._format.probabilities(outputs))
        raw = self._format.decode(outputs, size=letterbox.input, floor=self._floor)
        named, odd = self._with_labels(raw)
        kept = non_maximum_suppression(named, iou=self._format.nms_iou)
        # One misread output has all of its boxes in the wrong place.
        misread = all_misplaced(kept, letterbox.input)
        invalid = raw.invalid or odd or misread
        detections, rows = self._detections(kept, letterbox)
        if self._format.task is not Task.DETECT:
            detections, damaged = with_parts(
                self._format, outputs, kept.select(rows), detections, letterbox
            )
            invalid = invalid or damaged
        return Prediction(
            self.info,
            detections,
            invalid=invalid,
            features=FeatureMap(found, letterbox, self._feature_source)
            if found is not None
            else None,
        )

    def _letterbox(self, pixels: Pixels) -> tuple[Letterbox, Pixels]:
        """Return the frame's place in the input, and its pixels after the crop."""
        height, width = pixels.shape[:2]
        wanted = self.preprocessing
        if wanted.crop is None:
            return self._fitted(Size(width, height)), pixels
        size = self._session.input_size(Size(width, height), wanted)
        pixels = centre_crop(pixels, width=size.width, height=size.height, share=wanted.crop)
        rows, columns = pixels.shape[:2]
        letterbox = Letterbox.fit(Size(columns, rows), size, padding=wanted.padding)
        return replace(letterbox, origin=((width - columns) // 2, (height - rows) // 2)), pixels

    def _fitted(self, frame: Size) -> Letterbox:
        """Return the place of a whole frame in the input: the same for all frames of a camera."""
        letterbox = self._letterboxes.get(frame)
        if letterbox is None or self._session.avoids(letterbox.input):
            size = self._session.input_size(frame, self.preprocessing)
            letterbox = Letterbox.fit(frame, size, padding=self.preprocessing.padding)
            if len(self._letterboxes) >= MOST_SIZES:
                self._letterboxes.clear()
            self._letterboxes[frame] = letterbox
        return letterbox

    def _buffer(self) -> InputBuffer:
        """Return the buffer of this thread."""
        buffer: InputBuffer | None = getattr(self._thread_local, "buffer", None)
        if buffer is None:
            buffer = InputBuffer(self.preprocessing, self._session.image_input)
            self._thread_local.buffer = buffer
        return buffer

    def _with_labels(self, raw: DecodedDetections) -> tuple[DecodedDetections, bool]:
        """Replace class ids by label indices; also return whether a class id was impossible.

        Detections without a label are removed. Where class ids start at 1, a detection of 0 is
        impossible: it would be of the background.
        """
        known = (raw.class_ids >= 0) & (raw.class_ids < len(self._table))
        if self._ids_are_labels and known.all():
            return raw, False
        labels = np.where(known, self._table[np.where(known, raw.class_ids, 0)], NO_LABEL)
        rows = np.flatnonzero(labels != NO_LABEL)
        named = raw.relabelled(rows, labels)
        from_one = self._layout.numbering is ClassNumbering.FROM_ONE
        return named, not bool(known.all()) or (from_one and bool((raw.class_ids == 0).any()))

    def _detections(
        self, raw: DecodedDetections, letterbox: Letterbox
    ) -> tuple[tuple[Detection, ...], NDArray[np.intp]]:
        """Return the detections that have an area in the frame, and which of `raw` they are."""
        boxes = letterbox.to_frame(raw.boxes)
        with_area = np.flatnonzero((boxes[:, 2:] - boxes[:, :2] > MIN_SIDE).all(axis=1))
        labels, count = self.info.labels, len(with_area)
        x_min, y_min, x_max, y_max = boxes[with_area].T.tolist()
        class_ids = raw.class_ids[with_area].tolist()
        detections = from_columns(
            Detection,
            count,
            label=[labels[class_id] for class_id in class_ids],
            class_id=class_ids,
            confidence=raw.confidences[with_area].tolist(),
            box=from_columns(Box, count, x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max),
        )
        return tuple(detections), with_area

    def _classes(self, probabilities: FloatArray) -> Prediction:
        """Return the best classes; an invalid prediction if the output has NaN."""
        if not np.isfinite(probabilities).all():
            return Prediction(self.info, invalid=True)
        best = [
            number
            for number in np.argsort(-probabilities, kind="stable")[: TOP_CLASSES + 1].tolist()
            if self._table[number] != NO_LABEL
        ]
        labels = self.info.labels
        return Prediction(
            self.info,
            classes=tuple(
                ClassScore(labels[label], label, min(1.0, float(probabilities[number])))
                for number in best[:TOP_CLASSES]
                for label in [int(self._table[number])]
            ),
        )


def load_detector(
    path: Path | None = None,
    *,
    model_format: str = AUTO,
    labels: str = AUTO,
    model_input: InputSpec | None = None,
    sha256: str | None = None,
    hardware: Hardware = ANY_HARDWARE,
    floor: float = 0.05,
) -> OnnxDetector:
    """Load a model, choose its format, and run it once.

    The arguments come first; then a JSON file beside the model; then the model's metadata.

    Args:
        path: An ONNX file; None for the bundled model.
        model_format: A name of `formats.FORMAT_NAMES`, or "auto".
        labels: As AGENT_MODEL_LABELS: "auto", "coco", a list, or a file.
        model_input: Replaces parts of the format's preprocessing, or None.
        sha256: The hex digest that the file must have, or None for any.
        hardware: What the model runs on.
        floor: Lowest confidence, 0 to 1; detections below it are discarded.

    Raises:
        ModelUnusable: The file, or one beside it, cannot be used; the message has the fix.
        ConfigurationError: A provider of `hardware` is not available.
    """
    model_path = path or bundled_model()
    beside = read_sidecar(model_path)
    sizes = (words.size for words in (model_input, beside.input) if words is not None)
    size = next((each for each in sizes if each is not None), None)
    session = OnnxSession(model_path, sha256=sha256, hardware=hardware, size=size)
    model = session.signature
    found = find_labels(
        labels,
        from_model=beside.labels or model.metadata.labels or hub_labels(session.path),
        model=session.path,
        bundled=COCO_80 if session.path.name == FILE_NAME else None,
        problem=model.metadata.label_problem,
    )
    try:
        if model_format == AUTO and beside.path and beside.format:
            choice = choose(beside.format, model, labels=found.labels, named_by=beside.path.name)
        else:
            choice = choose(model_format, model, labels=found.labels)
        layout = choice.format.layout(model)
    except ConfigurationError as error:
        raise ModelUnusable(
            f"cannot read the outputs of the model {session.path} (AGENT_MODEL): {error}; "
            f"it has {model}"
        ) from error
    resolved = fitting_labels(found, layout, session.path)
    preprocessing = choice.format.preprocessing(model)
    described = [hub_input(session.path), beside.input, model_input]
    if session.has_map_output:
        described.insert(0, custom_vision_input(model.metadata))
        if not any(described):
            raise ModelUnusable(f"cannot use the model {session.path} (AGENT_MODEL): {ASK}")
    for words in described:
        preprocessing = words.apply_to(preprocessing) if words else preprocessing
    graph_limits = find_graph_limits(session.path, choice.format, layout, model)
    session.discard_trial_outputs()
    session.require_size(preprocessing)
    if choice.format.task not in OBJECT_TASKS:
        session.leave_out_map("it names no objects")
    return OnnxDetector(
        session,
        choice.format,
        decided=f"{choice.format.name}: {choice.reason}",
        layout=layout,
        labels=resolved,
        preprocessing=preprocessing,
        floor=floor,
        graph_limits=graph_limits,
    )
