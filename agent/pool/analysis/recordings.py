"""Analyses recordings frame by frame, so that a run that was killed goes on where it was."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from agent.camera.address import CameraAddress, SourceKind
from agent.camera.masked import MaskedSource
from agent.camera.recording import Recording, RecordingTime
from agent.camera.thumbnail import small_grey
from agent.domain import Frame, Observation, Prediction, Suspect
from agent.errors import CameraLost, UnusableImage
from agent.pool.analysis.parts import AnalysisParts
from agent.pool.analysis.row_maker import Analysed
from agent.pool.items import PoolItem, never
from agent.pool.rows import PoolRow, frame_key
from agent.ports import FrameSource
from agent.printable import printable
from agent.redaction import redact_endpoint
from agent.selection.camera_rules import CameraRules
from agent.selection.frame_context import ContextBuilder, FrameContext
from agent.selection.image_quality import ImageQuality, QualityMonitor
from agent.selection.plan import SelectionPlan

SEGMENT = 3000
"""Frames of a recording, as decoded, after which the rules start again: 2 minutes at 25 a second.

So the rows of a segment depend on that segment alone: a run that was killed has to analyse at most
one segment again, and finds in it what it would have found.
"""

_TRACKS = 1_000_000  # numbers of tracks in one segment
_BOOT_BYTES = 8
_LONGEST = 300  # characters of a reason


class RecordingAnalysis:
    """Makes the rows of recordings, with all rules, as the device judges the frames of a camera."""

    def __init__(self, parts: AnalysisParts) -> None:
        self._parts = parts

    def rows(self, item: PoolItem, *, first_frame: int = 0) -> Iterator[PoolRow]:
        """Yield a row for each analysed frame from `first_frame` on.

        `first_frame` is an index in the recording, as decoded. Raises `UnusableImage` at the end if
        some of its frames cannot be used.
        """
        begin = first_frame // SEGMENT * SEGMENT
        with self._parts.reader.local(item) as path:
            source = _Source(item, path, self._parts)
            try:
                segment: _Segment | None = None
                for frame in source.frames():
                    index = frame.source_frame or 0
                    if index < begin:
                        continue
                    if segment is None or segment.number != index // SEGMENT:
                        found = segment.flush() if segment is not None else ()
                        yield from self._rows(item, found, first_frame)
                        segment = _Segment(self._parts.plan, index // SEGMENT)
                    found = segment.add(frame, self._parts.detector.detect(frame.pixels))
                    yield from self._rows(item, found, first_frame)
                if segment is not None:
                    yield from self._rows(item, segment.flush(), first_frame)
            finally:
                source.close()
            source.require_readable()

    def frames(
        self, item: PoolItem, wanted: Collection[int], is_stopped: Callable[[], bool] = never
    ) -> Iterator[Frame]:
        """Yield the frames with these indexes, in order; raises `UnusableImage`.

        Ends early once it is stopped.
        """
        left = set(wanted)
        with self._parts.reader.local(item, is_stopped) as path:
            source = _Source(item, path, self._parts)
            try:
                for frame in source.frames():
                    if is_stopped():
                        return
                    if frame.source_frame in left:
                        left.discard(frame.source_frame)
                        yield frame
                    if not left:
                        return
            finally:
                source.close()
        raise UnusableImage(
            f"cannot read frame {min(left)} of this recording again: it has changed since it was "
            "analysed"
        )

    def _rows(
        self, item: PoolItem, found: "Iterable[_Judged]", first_frame: int
    ) -> Iterator[PoolRow]:
        for judged in found:
            context = judged.context
            frame = context.observation.frame
            index = frame.source_frame or 0
            if index < first_frame:
                continue
            key = frame_key(item.key, index)
            if judged.failure:
                yield PoolRow(key=key, frame=index, problem=judged.failure)
                continue
            boot = hashlib.blake2b(item.key.encode(errors="replace"), digest_size=_BOOT_BYTES)
            analysed = Analysed(
                key,
                context.observation,
                judged.named,
                context.bits,
                judged.quality,
                frame.at,
                f"recording {boot.hexdigest()}",
            )
            try:
                yield self._parts.rows.row(analysed, None, frame=index)
            except UnusableImage as error:
                yield PoolRow(key=key, frame=index, problem=str(error))


@dataclass(frozen=True, slots=True)
class _Judged:
    """A frame that the rules have judged."""

    context: FrameContext
    named: list[Suspect]
    quality: ImageQuality
    failure: str = ""  # why the model gave no output; empty if it did


class _Segment:
    """The rules of one segment: they know the frames of it alone."""

    def __init__(self, plan: SelectionPlan, number: int) -> None:
        self.number = number
        self._rules = CameraRules(plan)
        self._quality = QualityMonitor()
        self._failed: dict[int, str] = {}  # by the number of the frame
        self._contexts = ContextBuilder(plan.thresholds, self._rules.look_ahead)

    def add(self, frame: Frame, prediction: Prediction) -> list[_Judged]:
        """Take the next frame; return the frames that can be judged now."""
        if prediction.failure:
            self._failed[frame.sequence] = why_failed(prediction)
        observation = Observation.of(frame, prediction, small_grey(frame.pixels))
        return [self._judged(context) for context in self._contexts.push(observation)]

    def flush(self) -> list[_Judged]:
        """Judge the frames that wait for others: the segment ends."""
        return [self._judged(context) for context in self._contexts.flush()]

    def _judged(self, context: FrameContext) -> _Judged:
        observation = context.observation
        quality = ImageQuality.CLEAR
        if observation.grey is not None:
            quality = self._quality.assess(observation.grey, observation.frame.at)
        first = self.number * _TRACKS
        named = [
            each if each.track is None else replace(each, track=first + each.track)
            for each in self._rules.named(context)
        ]
        failure = self._failed.pop(observation.frame.sequence, "")
        return _Judged(context, named, quality, failure)


class _Source:
    """A recording, with its masks painted over."""

    def __init__(self, item: PoolItem, path: Path, parts: AnalysisParts) -> None:
        self._name = printable(redact_endpoint(item.key))
        address = CameraAddress(item.camera, str(path), SourceKind.FILE)
        self._shown = address.shown
        self._recording = Recording(address, fps=parts.fps, clock=RecordingTime())
        masks = parts.masks_of(item)
        self._source: FrameSource = (
            MaskedSource(self._recording, masks) if masks else self._recording
        )

    def frames(self) -> Iterator[Frame]:
        """Yield each due frame; raises `UnusableImage` if there is none."""
        try:
            while (frame := self._source.read()) is not None:
                yield replace(frame, captured_at=frame.at, monotonic_ns=int(frame.at * 1e9))
        except CameraLost as error:  # of a copy, whose name says nothing
            why = str(error).replace(self._shown, self._name)
            raise UnusableImage(why) from error

    def require_readable(self) -> None:
        """Raise `UnusableImage` if frames were skipped because they cannot be used."""
        count = self._recording.unreadable
        if count:
            raise UnusableImage(
                f"cannot use {count} frame{'s' * (count > 1)} of this recording; the first is "
                f"{self._recording.why_unreadable}"
            )

    def close(self) -> None:
        """Release the file."""
        self._source.close()


def why_failed(prediction: Prediction) -> str:
    """Return why there is nothing to judge: nobody can choose by what a model did not say."""
    return f"cannot analyse the image: the model fails: {printable(prediction.failure, _LONGEST)}"
