"""Why a frame of a recording was captured and purchased, or was not: in words."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise

from agent.domain import Capture, Lane
from agent.replay.memory_spool import Purchase
from agent.selection.plan import SelectionPlan
from agent.selection.random_lane import RandomLane
from agent.selection.rules import RULE_NAMES, rule_class
from agent.selection.selector import BURST_S, FrameEvaluation

_MAY_BE = "score, unless a neighbour is better"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The story of one frame."""

    source: str
    frame: int
    outcome: str  # in a few words
    why: tuple[str, ...]  # a sentence each

    @property
    def text(self) -> str:
        """For a terminal."""
        head = f"frame {self.frame} of {self.source}: {self.outcome}"
        return "\n".join((head, *(f"  {line}" for line in self.why)))


@dataclass(frozen=True, slots=True)
class _Heard:
    verdict: FrameEvaluation
    draw: tuple[float, float] | None  # begin of its slot of the random lane, and the instant


class Explainer:
    """Listens to a replay and tells the story of the frames that were asked about."""

    def __init__(
        self,
        wanted: Collection[int],
        names: Callable[[float], str],
        plan: SelectionPlan,
        *,
        fps: float,
    ) -> None:
        """`names` gives the id that a capture of a frame has or would have."""
        self._wanted = sorted(set(wanted))
        self._names = names
        self._plan = plan
        self._fps = fps
        self._interval = plan.interval_for(1)
        self._lane = RandomLane(self._interval, plan.seed)
        self._heard: dict[int, _Heard] = {}
        self._analysed: list[int] = []
        self._frames: dict[str, int] = {}  # by id
        self._candidates: list[tuple[float, int, float]] = []  # at, frame, value: of bursts
        self._captured: dict[str, float] = {}  # when, by id
        self._replaced: dict[str, str] = {}  # by which, by id
        self._bought: list[Purchase] = []
        self._lanes: dict[str, Lane] = {}

    def hear(self, verdict: FrameEvaluation) -> None:
        """Take the selection's verdict on the next frame."""
        frame = verdict.frame
        index = frame.source_frame if frame.source_frame is not None else frame.sequence
        self._analysed.append(index)
        self._frames[self._names(frame.captured_at)] = index
        if verdict.outcome == _MAY_BE:
            self._candidates.append((frame.at, index, verdict.value))
        if index in self._wanted:
            draw = self._lane.drawn(frame, self._interval) if self._interval else None
            self._heard[index] = _Heard(verdict, draw)

    def captured(self, capture: Capture, at: float, replaced: str | None) -> None:
        """It waits for a credit from `at` seconds on; `replaced` is one that left for it."""
        self._captured[capture.id] = at
        self._lanes[capture.id] = capture.lane
        if replaced is not None:
            self._replaced[replaced] = capture.id

    def bought(self, bought: Purchase) -> None:
        """A credit was spent on it."""
        self._bought.append(bought)

    def explanations(
        self, source: str, frames: int, worth_of: Callable[[str], float]
    ) -> list[Explanation]:
        """The stories, once all is over; `worth_of` says what a waiting one would still bring.

        `frames` is how many the recording has.
        """
        stories = []
        for index in self._wanted:
            heard = self._heard.get(index)
            if heard is None:
                why_not = self._not_analysed(index, frames)
                stories.append(Explanation(source, index, "not analysed", (why_not,)))
                continue
            outcome, why = self._fate(heard.verdict, worth_of)
            lines = (*why, *self._seen(heard))
            stories.append(Explanation(source, index, outcome, lines))
        return stories

    def _not_analysed(self, index: int, frames: int) -> str:
        """Which frames were, instead."""
        if index >= frames or not self._analysed:
            return f"the recording has {frames} frames, counted from 0"
        place = bisect_left(self._analysed, index)
        near = " and ".join(str(n) for n in self._analysed[max(0, place - 1) : place + 1])
        rate = f"at {self._fps:g} frames a second others are due, or " if self._fps else ""
        return f"{rate}it cannot be decoded; analysed nearest to it: frame {near}"

    def _fate(
        self, verdict: FrameEvaluation, worth_of: Callable[[str], float]
    ) -> tuple[str, tuple[str, ...]]:
        """What became of it, from the last step it reached."""
        name = self._names(verdict.frame.captured_at)
        for rank, bought in enumerate(self._bought, 1):
            if bought.id == name:
                lane = self._lanes[name]
                worth = f", then worth {bought.worth:.3f}" if lane is Lane.SCORE else ""
                return (
                    f"chosen, lane {lane.value}",
                    (f"bought at {bought.at:.2f} s as capture {rank}{worth}",),
                )
        if name in self._replaced:
            other = self._frames[self._replaced[name]]
            return "captured, then replaced", (
                f"frame {other} shows the same and is worth more: it took its place",
            )
        if name in self._captured:
            return "captured, not bought", tuple(self._outbid(name, verdict, worth_of(name)))
        if verdict.outcome == _MAY_BE:
            return "not captured", (self._outdone(verdict),)
        return "not captured", (self._refusal(verdict),)

    def _outbid(self, name: str, verdict: FrameEvaluation, worth: float) -> Iterator[str]:
        yield f"held from {self._captured[name]:.2f} s to the end; every credit bought another"
        if self._lanes[name] is not Lane.SCORE:
            yield "more were drawn than the lane's credits pay for; chance decided which"
            return
        yield (
            f"its value {verdict.value:.3f} less its likeness to what was bought, in looks and in "
            f"reason, was {worth:.3f} at the end"
        )
        paid = [b.worth for b in self._bought if self._lanes[b.id] is Lane.SCORE]
        if paid:
            yield f"the last score-lane capture that was bought was worth {paid[-1]:.3f}"
        if verdict.condition.is_degraded:
            yield f"the image is {verdict.condition.value}: at most 5 % of the credits go to such"

    def _outdone(self, verdict: FrameEvaluation) -> str:
        """A candidate that was not captured: by which neighbour, or by which line."""
        at = verdict.frame.at
        for (_, _, value), (later, index, better) in pairwise(self._candidates):
            if later > at and later - at < BURST_S and better > verdict.value >= value:
                return f"frame {index}, a moment later, is worth more: {better:.3f}"
        return "when its neighbours had come, the best captures so far were all worth more"

    def _refusal(self, verdict: FrameEvaluation) -> str:
        if verdict.other is not None:
            other = self._frames.get(verdict.other)
            return f"{verdict.outcome}: frame {other}"
        if verdict.outcome.startswith("below"):
            return (
                f"{verdict.outcome}: its value {verdict.value:.3f} is not above the line, "
                f"{verdict.line:.3f}"
            )
        if verdict.scores and verdict.value <= 0:
            return "its rules fired no more than they usually do: no tail score is above 0"
        return verdict.outcome

    def _seen(self, heard: _Heard) -> Iterator[str]:
        """The figures behind it."""
        verdict = heard.verdict
        frame = verdict.frame
        yield f"at {frame.at:.2f} s; value {verdict.value:.3f}, line {verdict.line:.3f}"
        for rule, raw in verdict.scores.items():
            own = rule_class(rule).weight if rule in RULE_NAMES else 1.0
            weight = self._plan.weights.get(rule, own)
            tail = verdict.tails.get(rule, 1.0)
            yield f"{rule}: raw score {raw:.3f}, tail score {tail:.3f}, weight {weight:g}"
        if not verdict.scores:
            yield "no rule fired"
        yield f"the image is {verdict.condition.value}"
        if heard.draw is None or self._interval is None:
            yield "random lane: off"
            return
        begin, instant = heard.draw
        hit = (
            "this is the first frame after it"
            if verdict.outcome == Lane.RANDOM.value
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
