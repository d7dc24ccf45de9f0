"""Explains why a frame of a recording was captured and purchased, or was not."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.domain import Capture, Lane, Suspect
from agent.replay.memory_spool import Purchase
from agent.selection.plan import SelectionPlan
from agent.selection.random_lane import RandomLane
from agent.selection.selector import FrameEvaluation, SelectionOutcome
from agent.selection.suspects import LEAST_P

_LEAST_REST = 0.005  # of a value; less rounds to nothing
_MOST_SHOWN = 5  # suspects that are named in words


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
        if index in self._wanted:
            draw = self._lane.drawn(frame, self._interval) if self._interval else None
            self._evaluated[index] = _Evaluated(evaluation, draw)

    def captured(self, capture: Capture, at: float, replaced: str | None) -> None:
        """Record a capture that waits for a credit from `at` seconds on.

        `replaced` is the id of a capture of its cell of time that it replaced, if any.
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
                value = f", value then {purchase.value:.2f}" if lane is Lane.SCORE else ""
                reason = f"{lane} lane: purchased at {purchase.at:.2f} s as capture {rank}{value}"
                return ReplayOutcome.CHOSEN, [reason]
        if name in self._replaced:
            other = self._frames[self._replaced[name]]
            reason = f"frame {other} of the same cell of time had a higher value and replaced it"
            return ReplayOutcome.REPLACED, [reason]
        if name in self._captured:
            reasons = list(self._not_purchased(name, evaluation, value_of(name)))
            return ReplayOutcome.NOT_PURCHASED, reasons
        return ReplayOutcome.NOT_CAPTURED, [self._refusal(evaluation)]

    def _not_purchased(self, name: str, evaluation: FrameEvaluation, value: float) -> Iterator[str]:
        yield f"waited for a credit from {self._captured[name]:.2f} s to the end"
        if self._lanes[name] is Lane.AUTO:
            yield "the model labelled it, and AGENT_AUTO_PER_DAY sends others that show more"
            return
        if self._lanes[name] is not Lane.SCORE:
            yield "more captures were drawn than the lane's credits pay for; chance decided which"
            return
        yield (
            f"its value was {evaluation.value:.2f}; after what the purchases show it is {value:.2f}"
        )
        if value < self._plan.min_value:
            yield f"not bought: {value:.3f} is below AGENT_MIN_VALUE={self._plan.min_value:g}"
            return
        paid = [each.value for each in self._purchases if self._lanes[each.id] is Lane.SCORE]
        if paid:
            yield f"every credit went to another; the last one purchased a value of {paid[-1]:.2f}"
        if evaluation.quality.is_degraded:
            yield f"the image is {evaluation.quality}: such images get at most 5 % of the credits"

    def _refusal(self, evaluation: FrameEvaluation) -> str:
        outcome = evaluation.outcome
        if outcome is SelectionOutcome.LOW_VALUE:
            least = self._plan.min_value
            return f"not captured: {evaluation.value:.3f} is below AGENT_MIN_VALUE={least:g}"
        if outcome is SelectionOutcome.AUTO_BEST_OF_CELL:
            return "the model labelled it; a frame that shows more followed in its cell of time"
        if outcome is SelectionOutcome.BEST_OF_CELL:
            return "a better frame followed in its cell of time before it was stored"
        if outcome is SelectionOutcome.ANOTHER_IS_BETTER:
            index = self._frames.get(evaluation.other or "")
            best = f": frame {index}, {evaluation.cutoff:.2f}"
            return f"{outcome}{best}; its own is at most {evaluation.value:.2f}"
        return outcome.value

    def _figures(self, each: _Evaluated) -> Iterator[str]:
        """Return the numbers behind the outcome, one sentence each."""
        evaluation = each.evaluation
        frame = evaluation.frame
        yield f"at {frame.at:.2f} s; {value_text(evaluation)}"
        yield f"the image is {evaluation.quality}"
        if evaluation.no_auto is not None:
            yield f"not labelled by the model: {evaluation.no_auto}"
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


def value_text(evaluation: FrameEvaluation) -> str:
    """Return the value of a frame and the suspects that make it, in words."""
    if not evaluation.suspects:
        return "no rule names a suspect"
    if not evaluation.added:
        parts = [f"{_suspect_text(each)} (p {each.p:.2f})" for each in evaluation.suspects]
        most = f"at most {evaluation.value:.2f} expected new failures; " if evaluation.value else ""
        return f"{most}suspects: {_list(parts)}"
    parts = [
        f"{_suspect_text(suspect)} ({added:.2f})"
        for suspect, added in zip(evaluation.suspects, evaluation.added, strict=True)
        if added >= LEAST_P
    ]
    shown = _list(parts) if parts else "all of its suspects were shown before"
    rest = evaluation.value - sum(added for added in evaluation.added if added >= LEAST_P)
    others = f", and {rest:.2f} for what no rule suspects" if rest >= _LEAST_REST else ""
    return f"{evaluation.value:.2f} expected new failures: {shown}{others}"


def _list(parts: Sequence[str]) -> str:
    more = f", and {len(parts) - _MOST_SHOWN} more" if len(parts) > _MOST_SHOWN else ""
    return ", ".join(parts[:_MOST_SHOWN]) + more


def _suspect_text(suspect: Suspect) -> str:
    who = suspect.label or "the frame"
    if suspect.track is not None and suspect.box is not None:
        who += f" {suspect.track}"
    return f"{who} {suspect.reason or suspect.rule}"
