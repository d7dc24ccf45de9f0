"""The product's own selection and budget over frames that were analysed before."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from agent.domain import Capture, Lane, Task, Thresholds
from agent.replay.frames import CaptureIds
from agent.replay.memory_spool import MemorySpool, Purchase
from agent.selection.cover import Cover
from agent.selection.device import Selection
from agent.selection.feedback import Feedback
from agent.selection.plan import SelectionPlan
from agent.selection.rules import RULE_NAMES, supported
from agent.selection.selector import FrameEvaluation
from agent.selection.view import View
from tests.bench.selection.failures import Seen

CAMERA = "camera"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A frame that a credit was spent on."""

    frame: int  # its place in the day
    at: float  # when it was purchased, in seconds
    capture: Capture

    @property
    def lane(self) -> Lane:
        return self.capture.lane


def plan_of(
    credits_: float, thresholds: Thresholds, *, seed: str = "0", random_share: float = 0.2
) -> SelectionPlan:
    """Return the default plan of a detector."""
    rules, _ = supported(RULE_NAMES, Task.DETECT)
    return SelectionPlan(rules, thresholds, seed, per_day=credits_, random_share=random_share)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a stream."""

    frames: Sequence[Seen]
    fps: float
    break_s: float = 0.0  # without any frame, after it


def stream(pieces: Sequence[Piece]) -> list[Seen]:
    """Join pieces, each at its own rate, into one stream of one camera."""
    frames: list[Seen] = []
    at = 0.0
    for piece in pieces:
        for seen in piece.frames:
            frame = replace(
                seen.observation.frame,
                camera=CAMERA,
                sequence=len(frames),
                at=at,
                captured_at=at,
                monotonic_ns=int(at * 1e9),
                stream="day",
            )
            frames.append(replace(seen, observation=replace(seen.observation, frame=frame)))
            at += 1 / piece.fps
        at += piece.break_s
    return frames


def choose(
    day: Iterable[Seen],
    plan: SelectionPlan,
    *,
    cover: Cover | None = None,
    is_first_given: bool = False,
    explain: Callable[[FrameEvaluation], None] | None = None,
    feedback: Feedback | None = None,
) -> list[Chosen]:
    """Return what the credits buy, in that order, as `replay` does it; `plan` has the length.

    `is_first_given`: the first credit is there from the start, instead of being earned.
    """
    cover = Cover() if cover is None else cover
    spool = MemorySpool(plan, cover)
    if is_first_given:
        assert spool._budgeted is not None
        spool._budgeted.ledger._carried = 1.0
    selection = Selection(
        [CAMERA], plan, new_id=CaptureIds(plan.seed, "day"), cover=cover, explain=explain
    )
    selection.use(feedback)
    captures: dict[str, Capture] = {}
    chosen: list[Chosen] = []

    def put(found: Iterable[Capture]) -> None:
        for capture in found:
            captures[capture.id] = capture
            spool.put(capture, 1)

    def add(purchases: Iterable[Purchase]) -> None:
        for each in purchases:
            capture = captures[each.id]
            chosen.append(Chosen(capture.observation.frame.sequence, each.at, capture))

    at = 0.0
    for seen in day:
        at = seen.observation.frame.at
        put(selection.observe(seen.observation, at))
        add(spool.buy(at))
    put(selection.finish(at))
    add(spool.close())
    return chosen


class LargestOnly(Cover):
    """A change for comparison: a frame is worth its best suspect, not the sum."""

    def contributions(self, view: View, now: float) -> list[float]:
        found = super().contributions(view, now)
        best = max(found, default=0.0)
        at = found.index(best) if found else 0
        return [each if n == at else 0.0 for n, each in enumerate(found)]


class TracksOnly(Cover):
    """A change for comparison: a suspect is known by its track alone, not by its looks."""

    def contributions(self, view: View, now: float) -> list[float]:
        return super().contributions(_without_looks(view), now)

    def unseen(self, view: View) -> float:
        return super().unseen(_without_looks(view))


class CropsOnly(Cover):
    """A change for comparison: looks are compared by the grey crop, not by the model's features."""

    def contributions(self, view: View, now: float) -> list[float]:
        return super().contributions(replace(view, source=""), now)


def _without_looks(view: View) -> View:
    places = tuple(replace(place, crop=None, feature=None) for place in view.places)
    return replace(view, bits=None, digest="", places=places)
