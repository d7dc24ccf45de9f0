"""With the motion gate the pipeline sees every frame, and the unbiased lanes do not change."""

from queue import Queue

import numpy as np
import pytest

from agent.domain import (
    Capture,
    Detection,
    Grey,
    Lane,
    Observation,
    Pixels,
    Prediction,
    Sampling,
    Thresholds,
)
from agent.ports import Clock
from agent.runtime.inference import Inference
from agent.runtime.live import FrameRate, FrameRates
from agent.runtime.mailbox import FrameCounts, Mailbox
from agent.runtime.motion import StillFrames
from agent.runtime.stats import Stats
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.selection.selector import Selector
from agent.system import new_id
from tests.fakes.captures import detection, frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import MODEL

THRESHOLDS = Thresholds(0.5)
SHEETS = [np.random.default_rng(n).integers(88, 93, (180, 320), np.uint8) for n in range(7)]
"""Thumbnails of a still scene: they differ by noise."""
STEP_S = 0.2


class Counting:
    """A model that says the same of each frame, and remembers on which it ran."""

    info = MODEL

    def __init__(self, *detections: Detection) -> None:
        self.detections = detections
        self.runs = 0

    def detect(self, _pixels: Pixels) -> Prediction:
        self.runs += 1
        return Prediction(self.info, self.detections)


class Watched:
    """A pipeline with one camera that sees a still scene."""

    def __init__(
        self,
        plan: SelectionPlan,
        *,
        has_gate: bool = True,
        clock: Clock | None = None,
        log: Recorder | None = None,
    ) -> None:
        self.model = Counting(detection(0.9))
        self.evaluated: list[Observation] = []
        self.captures: list[Capture] = []
        self.selection = Selection(["gate"], plan, new_id=new_id)
        self.stats = Stats()
        self.shown: Grey | None = None  # None: the still scene
        self.size = (4, 6)
        self._mailbox = Mailbox({"gate": True})
        self._queue: Queue[Capture] = Queue()
        self.still = StillFrames(self.selection.selectors, plan.thresholds) if has_gate else None
        self.inference = Inference(
            self._mailbox,
            self.model,
            self.selection,
            self._queue,
            shrink=lambda _pixels: self.thumbnail(),
            still=self.still,
            stats=self.stats,
            clock=clock or ManualClock(),
            log=(log or Recorder()).log,
        )
        self.at = 0.0
        self.frames = 0

    def thumbnail(self) -> Grey:
        """Return what the camera shows now."""
        return SHEETS[self.frames % 7] if self.shown is None else self.shown

    def see(self, frames: int = 1, *, step: float = STEP_S) -> None:
        """Show so many frames."""
        for _ in range(frames):
            self.at += step
            self._mailbox.put(
                frame(self.at, sequence=self.frames, pixels=np.zeros((*self.size, 3), np.uint8))
            )
            self.frames += 1
            self.inference.step()
            newest = self.inference.newest("gate")
            assert newest is not None
            self.evaluated.append(newest[0])
        while not self._queue.empty():
            self.captures.append(self._queue.get())


def plan(**changes: object) -> SelectionPlan:
    fields: dict[str, object] = {"is_random": False, "rules": ("flicker",), **changes}
    return SelectionPlan(thresholds=THRESHOLDS, seed="seed", **fields)  # type: ignore[arg-type]


def test_a_still_scene_is_seldom_analysed_and_each_frame_is_counted() -> None:
    watched = Watched(plan())
    watched.see(160)
    runs = watched.model.runs

    watched.see(500)

    assert watched.model.runs - runs == 10
    total = watched.stats.total()
    assert total["analysed"] + total["still"] == 660
    assert watched.still is not None
    assert watched.still.skipped("gate") == total["still"]


def test_frames_that_were_not_analysed_have_the_output_that_still_holds() -> None:
    watched = Watched(plan())
    watched.see(203)

    last = watched.evaluated[-1]
    assert last.is_still
    assert last.detections == watched.model.detections
    assert last.model == MODEL
    assert last.frame.sequence == 202


def test_an_object_keeps_its_track_and_the_camera_is_not_called_slow(log: Recorder) -> None:
    watched = Watched(plan(), log=log)
    watched.see(400)

    [track] = watched.selection.selectors["gate"].context_builder._tracker.tracks
    assert track.frames == 400
    assert not [line for line in log.lines if line["event"] == "temporal rules disabled"]


Drawn = list[tuple[int, Sampling | None]]
"""The frames of random captures, and how each was drawn."""


def drawn_with_and_without(seed: int, *, frames: int) -> tuple[Drawn, Drawn, int]:
    """Watch a scene that moves for a tenth of the time, with the gate and without it.

    Returns:
        The random captures of both, and the number of runs with the gate.
    """
    found, runs = [], []
    for has_gate in (True, False):
        watched = Watched(plan(random_interval=7.0, is_random=True, rules=()), has_gate=has_gate)
        watched.selection.selectors["gate"]._random.seed = str(seed)
        moves = np.random.default_rng(seed)
        for number in range(frames):
            watched.shown = None
            if number % 300 >= 270:
                watched.shown = moves.integers(60, 120, (180, 320)).astype(np.uint8)
            watched.see(step=0.2 + 0.05 * (number % 3))
        drawn = [each for each in watched.captures if each.lane is Lane.RANDOM]
        assert not any(each.observation.is_still for each in watched.captures)
        found.append([(each.observation.frame.sequence, each.sampling) for each in drawn])
        runs.append(watched.model.runs)
    return found[0], found[1], runs[0]


@pytest.mark.parametrize("seed", range(2))
def test_random_captures_are_the_same_frames_with_the_same_weights(seed: int) -> None:
    """Not one of them is of a frame that was not analysed."""
    gated, every, runs = drawn_with_and_without(seed, frames=900)

    assert gated == every
    assert len(gated) > 25
    assert runs < 900


def test_a_gate_that_does_not_know_the_random_instants_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A planted bug: without it, the test above would prove nothing."""
    monkeypatch.setattr(Selector, "needs_run", lambda *_facts: False)
    gated, every, _ = drawn_with_and_without(0, frames=400)

    assert gated != every


def test_the_random_instants_of_a_gated_camera_are_uniform() -> None:
    """Frames of still and of moving times are drawn with the same chance."""
    watched = Watched(plan(random_interval=2.0, is_random=True, rules=()))
    for number in range(2000):
        watched.shown = None
        if number % 10 == 0 and number % 400 >= 200:
            watched.shown = SHEETS[0].copy()
            watched.shown[50:90, number % 200 : number % 200 + 40] = 20
        watched.see()

    places = [each.observation.frame.sequence % 400 // 40 for each in watched.captures]
    counts = np.bincount(places, minlength=10)
    assert len(places) > 150
    expected = len(places) / 10
    assert float(((counts - expected) ** 2 / expected).sum()) < 21.7  # 1 % of chi-square, df 9


def test_every_nth_frame_is_counted_over_all_frames() -> None:
    watched = Watched(plan(every_nth=50))
    watched.see(500)

    taken = [each for each in watched.captures if each.lane is Lane.INTERVAL]
    assert [each.observation.frame.sequence for each in taken] == list(range(49, 450, 50))
    assert not any(each.observation.is_still for each in taken)


def test_a_requested_frame_is_analysed_within_the_next_frames() -> None:
    watched = Watched(plan())
    watched.see(203)
    watched.inference.request({"gate": "asked-for"})
    watched.see(6)

    [capture] = watched.captures
    assert (capture.id, capture.lane) == ("asked-for", Lane.REQUESTED)
    assert not capture.observation.is_still
    assert capture.observation.frame.sequence == 203


def test_frames_that_wait_for_later_ones_do_not_wait_for_the_next_run() -> None:
    watched = Watched(plan(every_nth=100))
    watched.see(104)

    assert [each.observation.frame.sequence for each in watched.captures] == [99]


def test_after_an_output_that_is_no_output_the_model_runs_again() -> None:
    watched = Watched(plan())
    watched.see(200)
    runs = watched.model.runs
    watched.model.detect = lambda _pixels: failed(watched)  # type: ignore[method-assign]
    watched.see(100)

    assert watched.model.runs - runs > 40


def failed(watched: Watched) -> Prediction:
    watched.model.runs += 1
    return Prediction(MODEL, invalid=True, failure="out of memory")


def test_a_camera_whose_frames_change_their_size_is_learnt_again() -> None:
    watched = Watched(plan())
    watched.see(200)
    runs = watched.model.runs
    watched.size = (48, 64)
    watched.see(150)

    assert watched.model.runs - runs == 150


def test_still_frames_are_not_shown_as_analysed() -> None:
    rates = FrameRates()
    for now, taken, still in ((0.0, 0, 0), (10.0, 50, 45)):
        found = rates.measure(now, {"gate": FrameCounts(taken, 0, taken)}, {"gate": still})

    assert found["gate"] == FrameRate(offered=5.0, analysed=0.5, still=4.5)
