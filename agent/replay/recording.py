"""Runs the daemon's selection and budget over one recording."""

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from agent.camera.address import CameraAddress
from agent.camera.length import Length
from agent.camera.masked import MaskedSource
from agent.camera.masks import CameraMask
from agent.camera.recording import Recording, RecordingTime
from agent.dataset.folder import Dataset
from agent.domain import Capture, ClipSpan, Observation
from agent.ports import Detector, FrameSource, ImageEncoder
from agent.record.schema import RecordMaker
from agent.replay.clips import ReplayClips
from agent.replay.explanation import Explainer, Explanation
from agent.replay.frames import CaptureIds, observations
from agent.replay.memory_spool import MemorySpool, Purchase
from agent.selection.cover import Cover
from agent.selection.device import Selection
from agent.selection.feedback import Feedback
from agent.selection.plan import SelectionPlan
from agent.selection.selector import FrameEvaluation
from agent.selection.threshold_check import ThresholdCheck

BINS = 20
"""Bins of the histogram of confidences, each 0.05 wide."""

_IN_MEMORY = 128_000_000  # bytes of waiting images; more go into a temporary file


@dataclass(frozen=True, slots=True)
class ReplayParts:
    """The parts that all recordings of a replay share."""

    detector: Detector
    encoder: ImageEncoder
    maker: RecordMaker
    dataset: Dataset
    thresholds: ThresholdCheck
    workers: int
    clips: tuple[ClipSpan, ImageEncoder] | None = None  # what clips hold, and who makes them


@dataclass(slots=True)
class RecordingResult:
    """What was found in one recording."""

    source: str
    length: Length
    frames: int = 0  # analysed
    unreadable: int = 0  # skipped, because they could not be decoded or show missing data
    why_unreadable: str = ""  # of the first one
    misfit: str = ""  # why AGENT_MASKS hid a whole image; empty if all fit
    passed_over: str = ""  # what the folder contains besides images
    sizes: Counter[str] = field(default_factory=Counter)  # frames analysed of each `WIDTHxHEIGHT`
    seconds: float = 0.0  # run time of the replay
    held: int = 0  # captures that the daemon would have stored
    held_bytes: int = 0
    chosen: list[dict[str, Any]] = field(default_factory=list)  # in the order of purchase
    chosen_bytes: int = 0
    confidences: dict[str, list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0] * BINS)
    )
    explanations: list[Explanation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Kept:
    record: Mapping[str, Any]
    offset: int
    size: int  # of the image, in bytes
    clip_size: int  # behind it

    @property
    def bytes(self) -> int:
        """Bytes of image and clip."""
        return self.size + self.clip_size


class Replay:
    """Runs one recording, once."""

    def __init__(
        self,
        address: CameraAddress,
        length: Length,
        plan: SelectionPlan,
        parts: ReplayParts,
        *,
        fps: float,
        name: str,
        masks: Sequence[CameraMask] = (),
        explain: Collection[int] = (),
        feedback: Feedback | None = None,
    ) -> None:
        """`plan.period_s` is the recording's length; `name` is unique among the recordings.

        `masks` are painted over each frame.
        """
        self._parts = parts
        self._recording = Recording(address, fps=fps, clock=RecordingTime())
        self._source: FrameSource = (
            MaskedSource(self._recording, masks, changed=self._note_misfit)
            if masks
            else self._recording
        )
        cover = Cover()
        self._spool = MemorySpool(plan, cover)
        names = CaptureIds(plan.seed, name)
        self._explainer = Explainer(explain, names, plan, fps=fps) if explain else None
        self._selection = Selection(
            [address.name],
            plan,
            new_id=names,
            cover=cover,
            explain=self._record_evaluation if explain else None,
        )
        self._selection.use(feedback)
        self._clips = ReplayClips(*parts.clips) if parts.clips is not None else None
        self._begin: float | None = None
        self._kept: dict[str, _Kept] = {}
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (`run` closes it)
        self._sequence = 0
        self.result = RecordingResult(address.source, length)

    def _note_misfit(self, misfit: str) -> None:
        """Keep the first reason why a whole image is hidden."""
        self.result.misfit = self.result.misfit or misfit

    def run(self, progress: Callable[[int], None] = lambda _frames: None) -> RecordingResult:
        """Read the recording to its end; `progress` gets the number of frames analysed so far.

        Raises as `Recording.read` and `Dataset.store`.
        """
        began, at = monotonic(), 0.0
        with self._file:
            for observation in observations(
                self._source, self._parts.detector, workers=self._parts.workers
            ):
                at = observation.frame.at
                self._begin = at if self._begin is None else self._begin
                self._count(observation)
                self._take(self._chosen(observation), at)
                self._store(self._spool.buy(at - self._begin))
                progress(self.result.frames)
            last = self._selection.finish(at)
            self._take(self._clips.end(last) if self._clips is not None else last, at)
            self._store(self._spool.close())
        self._source.close()
        self.result.unreadable = self._source.unreadable
        self.result.why_unreadable = self._recording.why_unreadable
        self.result.passed_over = self._source.passed_over
        self.result.seconds = monotonic() - began
        if self._explainer is not None:
            self.result.explanations = self._explainer.explanations(
                self.result.source, self.result.length.frames, self._spool.current_value
            )
        return self.result

    def _chosen(self, observation: Observation) -> list[Capture]:
        """Return the captures to store after this observation, with their clips."""
        at = observation.frame.at
        if self._clips is None:
            return self._selection.observe(observation, at)
        return self._clips.whole(self._selection.observe(self._clips.add(observation), at))

    def _record_evaluation(self, evaluation: FrameEvaluation) -> None:
        if self._explainer is not None:
            self._explainer.evaluated(evaluation)

    def _count(self, observation: Observation) -> None:
        self.result.frames += 1
        height, width = observation.frame.pixels.shape[:2]
        self.result.sizes[f"{width}x{height}"] += 1
        self._parts.thresholds.add(observation)
        seen = [(each.label, each.confidence) for each in observation.detections]
        seen += [(each.label, each.confidence) for each in observation.classes]
        for label, confidence in seen:
            self.result.confidences[label][min(BINS - 1, int(confidence * BINS))] += 1

    def _take(self, captures: Iterable[Capture], at: float) -> None:
        """Put captures into the memory spool, encoded as the daemon encodes them."""
        for capture in captures:
            image = self._parts.encoder.encode(capture.observation, capture.suspects)
            self._sequence += 1
            record = self._parts.maker.make(
                capture.id, capture, image, clock_synchronized=False
            ) | {"sequence": self._sequence}
            clip = capture.clip.data if capture.clip is not None else b""
            kept = _Kept(record, self._file.seek(0, 2), len(image.data), len(clip))
            replaced = self._spool.put(capture, kept.bytes)
            self._file.write(image.data + clip)
            self._kept[capture.id] = kept
            self.result.held += 1
            self.result.held_bytes += kept.bytes
            if replaced is not None:
                del self._kept[replaced]
            if self._explainer is not None:
                self._explainer.captured(capture, at, replaced)

    def _store(self, purchases: Iterable[Purchase]) -> None:
        """Write the purchased captures into the dataset."""
        for each in purchases:
            kept = self._kept.pop(each.id)
            self._file.seek(kept.offset)
            image = self._file.read(kept.size)
            text = json.dumps(kept.record, ensure_ascii=False, separators=(",", ":"))
            self._parts.dataset.store(text.encode(), image, self._file.read(kept.clip_size))
            self.result.chosen_bytes += kept.bytes
            self.result.chosen.append(
                {
                    "id": each.id,
                    "source": self.result.source,
                    "frame": kept.record["source_frame"],
                    "at": round(kept.record["monotonic_ns"] / 1e9, 3),
                    "lane": kept.record["lane"],
                    "rules": kept.record["rules"],
                    "value": kept.record["value"],
                    "purchased_at": round(each.at, 3),
                    "added": round(each.value, 3),
                    "bytes": kept.bytes,
                }
            )
            if self._explainer is not None:
                self._explainer.purchased(each)


def counted(captures: Iterable[Mapping[str, Any]]) -> tuple[dict[str, int], dict[str, int]]:
    """Count captures by rule and by lane; a capture of two rules counts for both."""
    rules: Counter[str] = Counter()
    lanes: Counter[str] = Counter()
    for capture in captures:
        rules.update(rule["name"] for rule in capture["rules"])
        lanes[capture["lane"]] += 1
    return dict(rules.most_common()), dict(lanes.most_common())
