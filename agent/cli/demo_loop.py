"""`capture-agent demo --loop`: two rounds of capture, review and feedback on the drawn street."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from agent import __version__
from agent.cli.demo_chart import Curve, chart
from agent.cli.demo_failures import DayFailures, annotated, failures_of_day
from agent.cli.sample_clip import encoded
from agent.cli.street_day import FPS, FRAMES, SECONDS, StreetObject, day_of_street
from agent.domain import VerdictKind
from agent.files import Disk
from agent.record.timestamp import timestamp
from agent.system import SystemClock

if TYPE_CHECKING:
    from agent.domain import Detection, ModelInfo, Pixels, Prediction
    from agent.ports import Detector
    from agent.selection.feedback import Feedback

CREDITS = 20
"""Of each day: a twentieth of its frames."""

THRESHOLD = 0.65
"""Higher than is good for this street: below it nearly all are misses, above it little is false.
The rules cannot know that, and reviews can. At the best threshold there is little to learn."""

DAYS = (1, 3)
"""Numbers of the days that are drawn; the model fails about equally often on both."""

WORKERS = 2

_Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the street: its recording, what is in it, and where the model fails."""

    clip: Path
    objects: tuple[tuple[StreetObject, ...], ...]  # of each frame
    detector: "RememberedDetector"
    failures: DayFailures


@dataclass(frozen=True, slots=True)
class Round:
    """One day of captures."""

    folder: Path
    found: list[int]  # distinct failures that are known after each credit
    of: int  # distinct failures of the day


@dataclass(frozen=True, slots=True)
class LoopResult:
    """What the demonstration shows at its end."""

    first: Round
    second: Round
    control: Round  # the second day without feedback


def play_loop(folder: Path, screen: Console) -> LoopResult:
    """Run both rounds, and leave in `folder` what a person would have at the end."""
    from agent.factories.model import detector_of
    from agent.settings.load import without_environment

    detector = detector_of(without_environment())
    with _progress(screen) as stage:
        one = _watched(0, folder, detector, stage)
        first = _round(one, folder / "round-1", None)
        _review(one, first.folder, folder / "reviews-1.jsonl")
        feedback = _learn(first.folder, folder / "feedback.json")
        two = _watched(1, folder, detector, stage)
        second = _round(two, folder / "round-2", feedback)
        _review(two, second.folder, folder / "reviews-2.jsonl")
        control = _round(two, folder / "round-2-without-feedback", None)
    _evaluate([first.folder, second.folder], folder / "dataset", folder / "evaluation.html")
    result = LoopResult(first, second, control)
    Disk().write((folder / "loop.svg").absolute(), _chart(result).encode())
    return result


def table_of(result: LoopResult) -> Table:
    """Return what the rounds found."""
    table = Table()
    table.add_column("")
    for name in ("credits", "failures found", "of", "a credit"):
        table.add_column(name, justify="right")
    for name, each in (
        ("round one: day 1", result.first),
        ("round two: day 2, feedback", result.second),
        ("control: day 2 without it", result.control),
    ):
        spent, found = len(each.found), max(each.found, default=0)
        share = f"{found / spent:.2f}" if spent else "-"
        table.add_row(name, str(spent), str(found), str(each.of), share)
    return table


class RememberedDetector:
    """Runs a detector once for each image, so that a day can be replayed with other feedback."""

    def __init__(self, detector: "Detector") -> None:
        self._detector = detector
        self._known: dict[bytes, Prediction] = {}

    @property
    def info(self) -> "ModelInfo":
        """The model."""
        return self._detector.info

    def detect(self, pixels: "Pixels") -> "Prediction":
        """Return the output for an image `[height, width, 3]`."""
        key = hashlib.blake2b(pixels.data, digest_size=16).digest()
        if key not in self._known:
            self._known[key] = self._detector.detect(pixels)
        return self._known[key]


def _watched(number: int, folder: Path, detector: "Detector", stage: "Callable[[str], Any]") -> Day:
    """Draw a day (its place in `DAYS`), and run the model on each frame of its recording."""
    from agent.camera.recording import Recording, RecordingTime
    from agent.replay.frames import address_of, observations

    clip = folder / f"day-{number + 1}.mp4"
    objects: list[tuple[StreetObject, ...]] = []

    def drawn() -> "Iterator[Pixels]":
        for frame in day_of_street(DAYS[number]):
            objects.append(frame.objects)
            yield frame.pixels

    stage(f"drawing day {number + 1}")(0)
    Disk().write(clip.absolute(), encoded(drawn(), rate=FPS))
    advance: _Advance = stage(f"watching day {number + 1}")
    remembered = RememberedDetector(detector)
    found: list[Sequence[Detection]] = []
    source = Recording(address_of(str(clip)), fps=FPS, clock=RecordingTime())
    for observation in observations(source, remembered, workers=WORKERS):
        found.append(observation.detections)
        advance(len(found))
    source.close()
    failures = failures_of_day(found, objects[: len(found)], threshold=THRESHOLD)
    return Day(clip, tuple(objects), remembered, failures)


def _round(day: Day, folder: Path, feedback: "Feedback | None") -> Round:
    """Let the agent choose the captures of a day."""
    from agent.camera.length import length_of
    from agent.factories.datasets import dataset_at
    from agent.factories.images import image_encoder, record_maker
    from agent.factories.selection import plan_for
    from agent.replay.frames import address_of
    from agent.replay.recording import Replay, ReplayParts
    from agent.selection.threshold_check import ThresholdCheck
    from agent.settings.load import without_environment

    settings = without_environment(
        device_id="demo", budget_per_day=CREDITS, threshold=THRESHOLD, fps=float(FPS)
    )
    plan, _ = plan_for(settings, day.detector.info.task)
    maker = record_maker(settings, day.detector.info, boot=day.clip.stem)
    address = replace(address_of(str(day.clip)), name="street")
    parts = ReplayParts(
        day.detector,
        image_encoder(settings),
        maker,
        dataset_at(folder),
        ThresholdCheck(maker.thresholds),
        WORKERS,
    )
    run = Replay(
        address,
        length_of(address, fps=FPS),
        replace(plan, period_s=float(SECONDS)),
        parts,
        fps=FPS,
        name=day.clip.stem,
        feedback=feedback,
    )
    frames = [int(each["frame"]) for each in run.run().chosen]
    return Round(folder, day.failures.found(frames), day.failures.count)


def _review(day: Day, folder: Path, file: Path) -> None:
    """Write what a person would say of each capture into a file, and bring the file in."""
    from agent.dataset.records import read_records
    from agent.dataset.reviewed import ReviewedDataset

    lines = [_said(record, day) for record in read_records(folder).values()]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    Disk().write(file.absolute(), text.encode())
    dataset = ReviewedDataset(folder, Disk(inside=folder.absolute()))
    dataset.add([json.loads(line) for line in file.read_text("utf-8").splitlines()])


def _said(record: Any, day: Day) -> dict[str, Any]:
    """Return the review of a capture: right, or all objects that were drawn."""
    from agent.dataset.annotations.boxes import AnnotatedBox
    from agent.dataset.reviews import review_line
    from agent.domain import Box
    from agent.evaluation.box_matching import match_boxes
    from agent.record.summary import confident

    truth = day.objects[record["source_frame"]]
    shown = [
        AnnotatedBox(each["label"], Box(*each["box"]), each["confidence"])
        for each in confident(record)
    ]
    match = match_boxes(shown, annotated(truth))
    kind = VerdictKind.WRONG if match.wrong else VerdictKind.MISSING
    if match.is_perfect:
        kind = VerdictKind.RIGHT
    boxes = [{"label": each.label, "box": list(each.box)} for each in truth]
    return review_line(
        record["id"],
        kind,
        at=SystemClock().wall(),
        by="demo",
        boxes=None if match.is_perfect else boxes,
    )


def _learn(folder: Path, file: Path) -> "Feedback":
    """Make the feedback file of reviewed captures, and read it as a device does."""
    from agent.evaluation.feedback import learn
    from agent.evaluation.judged_captures import read_judged
    from agent.selection.feedback import feedback_bytes, parse_feedback

    made_at = timestamp(SystemClock().wall())
    learnt = learn(read_judged([folder]), made_at=made_at, agent=__version__)
    Disk().write(file.absolute(), feedback_bytes(learnt.feedback))
    return parse_feedback(file.read_bytes())


def _evaluate(rounds: Sequence[Path], dataset: Path, page: Path) -> None:
    """Merge the datasets of both rounds, and measure the model on their random captures."""
    from agent.dataset.merge import merge
    from agent.dataset.records import read_records
    from agent.evaluation.evaluation import evaluate
    from agent.evaluation.page import page_of
    from agent.evaluation.reviewed import read_reviewed

    merge(rounds, dataset, Disk(inside=dataset.absolute()))
    records = read_records(dataset)
    found = evaluate(records, read_reviewed(dataset, None, records, is_reviewed=False))
    Disk().write(page.absolute(), page_of(found, None, dataset).encode())


def _chart(result: LoopResult) -> str:
    return chart(
        "Distinct failures of the model that labels have shown",
        [
            Curve("round one", result.first.found, "#7a7a7a"),
            Curve("round two, with feedback", result.second.found, "#0a6b3d"),
            Curve("day 2 without feedback", result.control.found, "#b3541e", is_dashed=True),
        ],
    )


@contextmanager
def _progress(screen: Console) -> Iterator[Callable[[str], _Advance]]:
    """Give what begins a stage and returns what tells how many frames are done."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} frames"),
        console=screen,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=FRAMES)

        def stage(name: str) -> _Advance:
            progress.update(task, description=name, completed=0)
            return lambda done: progress.update(task, completed=done)

        yield stage
