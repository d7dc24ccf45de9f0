"""Explains why a frame of a recording was captured and purchased, or was not."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from agent.domain import Capture, Lane
from agent.replay.memory_spool import Purchase
from agent.selection.plan import SelectionPlan
from agent.selection.random_lane import RandomLane
from agent.selection.rules import RULE_NAMES, rule_class
from agent.selection.selector import BURST_S, FrameEvaluation, SelectionOutcome


class ReplayOutcome(StrEnum):
    """What became of a frame of a recording, in `report.json` and on the page."""

    NOT_ANALYSED = "not analysed"
    NOT_CAPTURED = "not captured"
    REPLACED = "captured, then replaced"
    NOT_PURCHASED = "captured, not purchased"
    CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The outcome of one frame, with the reasons."""

    source: str
    frame: int
    outcome: ReplayOutcome
    why: tuple[str, ...]  # one sentence each

    @property
    def text(self) -> str:
        """The explanation for a terminal."""
        head = f"frame {self.frame} of {self.source}: {self.outcome}"
        return "\n".join((head, *(f"  {line}" for line in self.why)))


@dataclass(frozen=True, slots=True)
class _Evaluated:
    evaluation: FrameEvaluation
    draw: tuple[float, float] | None  # start of its random-lane slot and the drawn instant


class Explainer:
    """Collects what happens in a replay and explains the outcome of the wanted frames."""

    def __init__(
        self,
        wanted: Collection[int],
        names: Callable[[float], str],
        plan: SelectionPlan,
        *,
        fps: float,
    ) -> None:
        """`names` makes the id that the capture of a frame has, or would have."""
        self._wanted = sorted(set(wanted))
        self._names = names
        self._plan = plan
        self._fps = fps
        self._interval = plan.interval_for(1)
        self._lane = RandomLane(self._interval, plan.seed)
        self._evaluated: dict[int, _Evaluated] = {}
        self._analysed: list[int] = []
        self._frames: dict[str, int] = {}  # by id
        self._candidates: list[tuple[float, int, float]] = []  # time, frame, value: of bursts
        self._captured: dict[str, float] = {}  # time of the capture, by id
        self._replaced: dict[str, str] = {}  # id of the better capture, by id
        self._purchases: list[Purchase] = []
        self._lanes: dict[str, Lane] = {}

    def evaluated(self, evaluation: FrameEvaluation) -> None:
        """Record the selection's evaluation of the next frame."""
        frame = evaluation.frame
        index = frame.source_frame if frame.source_frame is not None else frame.sequence
        self._analysed.append(index)
        self._frames[self._names(frame.captured_at)] = index
        if evaluation.outcome is SelectionOutcome.BEST_OF_BURST:
            self._candidates.append((frame.at, index, evaluation.value))
        if index in self._wanted:
            draw = self._lane.drawn(frame, self._interval) if self._interval else None
            self._evaluated[index] = _Evaluated(evaluation, draw)

    def captured(self, capture: Capture, at: float, replaced: str | None) -> None:
        """Record a capture that waits for a credit from `at` seconds on.

        `replaced` is the id of a near-duplicate that it replaced, if any.
        """
        self._captured[capture.id] = at
        self._lanes[capture.id] = capture.lane
        if replaced is not None:
            self._replaced[replaced] = capture.id

    def purchased(self, purchase: Purchase) -> None:
        """Record that a credit was spent on a capture."""
        self._purchases.append(purchase)

    def explanations(
        self, source: str, frames: int, value_of: Callable[[str], float]
    ) -> list[Explanation]:
        """Return the explanations, once the replay is over.

        `frames` is the recording's number of frames; `value_of` returns the value that a waiting
        capture has beside those that were purchased.
        """
        found = []
        for index in self._wanted:
            each = self._evaluated.get(index)
            if each is None:
                outcome, reasons = ReplayOutcome.NOT_ANALYSED, [self._not_analysed(index, frames)]
            else:
                outcome, reasons = self._outcome(each.evaluation, value_of)
                reasons += self._figures(each)
            found.append(Explanation(source, index, outcome, tuple(reasons)))
        return found

    def _not_analysed(self, index: int, frames: int) -> str:
        """Return why a frame was not analysed, and the nearest ones that were."""
        if index >= frames or not self._analysed:
            return f"the recording has {frames} frames, counted from 0"
        place = bisect_left(self._analysed, index)
        near = " and ".join(str(n) for n in self._analysed[max(0, place - 1) : place + 1])
        rate = f"at {self._fps:g} frames a second other frames are due, or " if self._fps else ""
        return f"{rate}it cannot be decoded; the nearest analysed frames: {near}"

    def _outcome(
        self, evaluation: FrameEvaluation, value_of: Callable[[str], float]
    ) -> tuple[ReplayOutcome, list[str]]:
        """Return the last step that a frame reached, and why it went no further."""
        name = self._names(evaluation.frame.captured_at)
        for rank, purchase in enumerate(self._purchases, 1):
            if purchase.id == name:
                lane = self._lanes[name]
                value = f", value then {purchase.value:.3f}" if lane is Lane.SCORE else ""
                reason = f"{lane} lane: purchased at {purchase.at:.2f} s as capture {rank}{value}"
                return ReplayOutcome.CHOSEN, [reason]
        if name in self._replaced:
            other = self._frames[self._replaced[name]]
            reason = f"frame {other} is a near-duplicate of a higher value and replaced it"
            return ReplayOutcome.REPLACED, [reason]
        if name in self._captured:
            reasons = list(self._not_purchased(name, evaluation, value_of(name)))
            return ReplayOutcome.NOT_PURCHASED, reasons
        if evaluation.outcome is SelectionOutcome.BEST_OF_BURST:
            return ReplayOutcome.NOT_CAPTURED, [self._better_neighbour(evaluation)]
        return ReplayOutcome.NOT_CAPTURED, [self._refusal(evaluation)]

    def _not_purchased(self, name: str, evaluation: FrameEvaluation, value: float) -> Iterator[str]:
        waited = f"waited from {self._captured[name]:.2f} s to the end"
        yield f"{waited}; every credit went to another capture"
        if self._lanes[name] is not Lane.SCORE:
            yield "more captures were drawn than the lane's credits pay for; chance decided which"
            return
        yield (
            f"its value {evaluation.value:.3f}, less its similarity to the purchases in image and "
            f"rule, was {value:.3f} at the end"
        )
        paid = [each.value for each in self._purchases if self._lanes[each.id] is Lane.SCORE]
        if paid:
            yield f"the last score-lane purchase had a value of {paid[-1]:.3f}"
        if evaluation.quality.is_degraded:
            yield f"the image is {evaluation.quality}: such images get at most 5 % of the credits"

    def _better_neighbour(self, evaluation: FrameEvaluation) -> str:
        """Return which frame of its burst is better, or that the cutoff rose meanwhile."""
        at = evaluation.frame.at
        for (_, _, value), (later, index, better) in pairwise(self._candidates):
            if later > at and later - at < BURST_S and better > evaluation.value >= value:
                return (
                    f"frame {index}, less than {BURST_S:g} s later, is better: value {better:.3f}"
                )
        return "at the end of its burst, the best captures so far all had a higher value"

    def _refusal(self, evaluation: FrameEvaluation) -> str:
        if evaluation.other is not None:
            other = self._frames.get(evaluation.other)
            return f"{evaluation.text}: frame {other}"
        if evaluation.outcome is SelectionOutcome.BELOW_CUTOFF:
            return (
                f"{evaluation.text}: its value {evaluation.value:.3f} is not above the cutoff, "
                f"{evaluation.cutoff:.3f}"
            )
        if evaluation.scores and evaluation.value <= 0:
            return "its rules fired no more than usual: no tail score is above 0"
        return evaluation.text

    def _figures(self, each: _Evaluated) -> Iterator[str]:
        """Return the numbers behind the outcome, one sentence each."""
        evaluation = each.evaluation
        frame = evaluation.frame
        value = f"value {evaluation.value:.3f}, cutoff {evaluation.cutoff:.3f}"
        yield f"at {frame.at:.2f} s; {value}"
        for rule, raw in evaluation.scores.items():
            own = rule_class(rule).weight if rule in RULE_NAMES else 1.0
            weight = self._plan.weights.get(rule, own)
            tail = evaluation.tails.get(rule, 1.0)
            yield f"{rule}: raw score {raw:.3f}, tail score {tail:.3f}, weight {weight:g}"
        if not evaluation.scores:
            yield "no rule fired"
        yield f"the image is {evaluation.quality}"
        if each.draw is None or self._interval is None:
            yield "random lane: off"
            return
        begin, instant = each.draw
        hit = (
            "this is the first frame after it"
            if evaluation.outcome is SelectionOutcome.RANDOM
            else (
                "another frame is the first after it"
                if instant <= frame.at
                else "this frame is before it"
            )
        )
        yield (
            f"random lane: the slot from {begin:.2f} to {begin + self._interval:.2f} s drew "
            f"{instant:.2f} s; {hit}"
        )
