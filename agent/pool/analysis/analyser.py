"""Analyses the items of a pool: each image is read once, and the model runs on it once."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from agent.camera.thumbnail import small_grey
from agent.domain import Frame, Observation, Prediction
from agent.errors import UnusableImage
from agent.pool.analysis.image import PoolImage, pool_image
from agent.pool.analysis.own_record import OwnRecord, own_record
from agent.pool.analysis.parts import AnalysisParts
from agent.pool.analysis.recordings import RecordingAnalysis, why_failed
from agent.pool.analysis.row_maker import Analysed, bounded, seen
from agent.pool.items import ItemKind, PoolItem
from agent.pool.rows import PoolRow
from agent.printable import printable
from agent.record.synthetic import is_synthetic
from agent.selection.camera_rules import CameraRules
from agent.selection.frame_context import FrameContext
from agent.selection.image_quality import is_blank, quality_alone
from agent.selection.rules.scene import InvalidOutput
from agent.selection.similarity import difference_hash

_LONGEST = 500  # characters of a problem


class PoolAnalyser:
    """Makes the rows of items; see `agent.pool.engine.Analyser`. Not thread-safe.

    An item has the same rows whenever and wherever it is analysed: nothing that was analysed before
    it counts. So rules that compare with earlier frames are silent on single images.
    """

    def __init__(self, parts: AnalysisParts) -> None:
        self._parts = parts
        self._recordings = RecordingAnalysis(parts)
        self._rules = CameraRules(parts.plan)

    def expect(self, items: Sequence[PoolItem]) -> None:
        """Take note of the items that come next; see `agent.pool.engine.Analyser`."""
        self._parts.reader.expect(items)

    def rows(self, item: PoolItem, *, first_frame: int = 0) -> Iterator[PoolRow]:
        """Yield the rows of an item; see `agent.pool.engine.Analyser`."""
        try:
            if item.kind is ItemKind.RECORDING:
                for row in self._recordings.rows(item, first_frame=first_frame):
                    yield replace(row, version=item.version)
            elif item.kind is ItemKind.CAPTURE:
                yield replace(self._capture(item), version=item.version)
            else:
                yield replace(self._image(item), version=item.version)
        except UnusableImage as error:
            problem = printable(error, _LONGEST)
            yield PoolRow(key=item.key, version=item.version, problem=problem)

    def _image(self, item: PoolItem) -> PoolRow:
        image = pool_image(item, self._parts.reader.read(item), self._parts.masks_of(item))
        at = image.frame.at if image.is_timed else PoolRow("").at
        return self._analysed(item, image, at=at)

    def _analysed(self, item: PoolItem, image: PoolImage, *, at: float) -> PoolRow:
        """Return the row of an image that the model sees."""
        parts = self._parts
        grey = small_grey(image.frame.pixels)
        observation = Observation.of(image.frame, self._prediction(image.frame), grey)
        bits = difference_hash(grey)
        found = Analysed(
            item.key,
            observation,
            self._rules.of_single_image().named(FrameContext(observation, bits=bits)),
            bits,
            quality_alone(grey),
            at,
            image.boot,
            id=image.id,
            is_blank=is_blank(grey),
        )
        stored = parts.encoder.encode(observation, found.named)
        if stored.data is image.frame.jpeg:
            stored = replace(stored, sha256=image.jpeg_sha256)
        return parts.rows.row(found, stored)

    def _capture(self, item: PoolItem) -> PoolRow:
        """Return the row of a capture: with its record's suspects, where they are of this model."""
        parts = self._parts
        text, data = parts.reader.read_record(item), parts.reader.read(item)
        record = own_record(text, PurePosixPath(item.record).stem, data)
        image = pool_image(replace(item, camera=record.camera), data)
        _check_size(record, image.frame)
        name, sha256 = record.model
        is_other = sha256 != parts.detector.info.sha256
        if is_other or not record.has_suspects:
            row = self._analysed(item, image, at=record.at)
        else:
            row = self._with_own_suspects(item, record, image.frame)
        facts = record.content["image"]
        return replace(
            row,
            id=record.content["id"],
            sha256=facts["sha256"],
            is_unusable=row.is_unusable or is_synthetic(record.content),
            record=text,
            other_model=_model_name(name, sha256) if is_other else "",
        )

    def _prediction(self, frame: Frame) -> Prediction:
        """Run the model; raises `UnusableImage` if it fails, which says nothing of the image."""
        prediction = self._parts.detector.detect(frame.pixels)
        if prediction.failure:
            raise UnusableImage(why_failed(prediction))
        return prediction

    def _with_own_suspects(self, item: PoolItem, record: OwnRecord, frame: Frame) -> PoolRow:
        """Return the row of a capture of this model.

        What its device named is kept: it knew the frames before and after. The model runs only
        where its features of these places are wanted.
        """
        parts = self._parts
        rules = {*parts.plan.rules, InvalidOutput.name}
        observation, found, thresholds = record.suspects(frame.pixels, rules)
        named = bounded(found)
        grey = small_grey(frame.pixels)
        features = None
        if any(each.box is not None for each in named):
            features = self._prediction(frame).features
        observation = replace(observation, grey=grey, model=parts.detector.info, features=features)
        bits = difference_hash(grey)
        looks, suspects = seen(observation, named, thresholds, parts.plan.redact)
        quality = quality_alone(grey)
        height, width = frame.pixels.shape[:2]
        return PoolRow(
            key=item.key,
            camera=record.camera,
            at=record.at,
            width=width,
            height=height,
            bits=bits,
            digest=looks.digest,
            is_degraded=quality.is_degraded,
            is_unusable=quality.is_unusable or is_blank(grey),
            suspects=suspects,
            source=looks.source,
        )


def _model_name(name: str, sha256: str) -> str:
    """Return what a model is called in the report."""
    if not sha256:
        return printable(name) or "unknown"
    return f"{printable(name) or 'unknown'} ({printable(sha256[:12])})"


def _check_size(record: OwnRecord, frame: Frame) -> None:
    """Raise `UnusableImage` if a record is of an image of another size."""
    facts = record.content["image"]
    height, width = frame.pixels.shape[:2]
    if (facts["width"], facts["height"]) != (width, height):
        raise UnusableImage(
            f"cannot use the capture: its record is of {facts['width']}x{facts['height']} pixels, "
            f"and the image has {width}x{height}"
        )
    if facts.get("media_type", "image/jpeg") != "image/jpeg":
        raise UnusableImage("cannot use the capture: its image is not image/jpeg")
