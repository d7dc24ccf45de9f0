"""Any worker may finish first; the rules of a camera see its frames in order all the same."""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from queue import Queue
from threading import Event, Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Capture, Detection, Observation, Pixels, Prediction, Thresholds
from agent.ports import Detector
from agent.runtime.failed_runs import REPEAT_S
from agent.runtime.inference import FULL_S, FrameReorderer, Inference
from agent.runtime.mailbox import Mailbox
from agent.runtime.stats import Stats
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.system import new_id
from tests.fakes.captures import detection, frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import MODEL, every_frame, no_thumbnail


@given(st.permutations(range(12)))
def test_observations_come_out_in_order_whatever_the_workers_do(finished: list[int]) -> None:
    seen: list[Observation] = []
    line = FrameReorderer(seen.append)
    for order in finished:
        line.finish(order, Observation(frame(sequence=order), ()))

    assert [each.frame.sequence for each in seen] == list(range(12))


def test_a_frame_whose_run_hangs_is_skipped_and_dropped_when_it_comes_late() -> None:
    seen: list[Observation] = []
    line = FrameReorderer(seen.append)
    for order in (1, 2, 4):
        line.finish(order, Observation(frame(sequence=order), ()))

    line.skip_missing()
    line.finish(0, Observation(frame(sequence=0), ()))
    line.finish(5, Observation(frame(sequence=5), ()))

    assert [each.frame.sequence for each in seen] == [1, 2, 4, 5]
    assert line.next == 6


class Scripted:
    """A detector that knows its answers."""

    info = MODEL

    def __init__(self, answers: Iterable[tuple[Detection, ...]] = ()) -> None:
        self._answers: Iterator[tuple[Detection, ...]] = iter(answers)
        self.seen: list[int] = []

    def detect(self, pixels: Pixels) -> Prediction:
        self.seen.append(int(pixels[0, 0, 0]))
        return Prediction(self.info, next(self._answers, ()))


class InferenceStage:
    """Inference with a selector that keeps every frame, and a queue of two."""

    def __init__(
        self,
        clock: ManualClock,
        log: Recorder,
        detector: Detector,
        selection: Selection | None = None,
    ) -> None:
        self.mailbox = Mailbox({"gate": False, "yard": False}, unfinished=3)
        self.queue: Queue[Capture] = Queue(2)
        self.stats = Stats()
        self.selection = selection or every_frame("gate", "yard")
        self.inference = Inference(
            self.mailbox,
            detector,
            self.selection,
            self.queue,
            shrink=no_thumbnail,
            stats=self.stats,
            clock=clock,
            log=log.log,
        )

    def queued(self) -> list[int]:
        return [
            self.queue.get_nowait().observation.frame.sequence for _ in range(self.queue.qsize())
        ]


@pytest.fixture
def stage(clock: ManualClock, log: Recorder) -> InferenceStage:
    return InferenceStage(clock, log, Scripted())


def test_no_worker_waits_while_another_one_evaluates(
    stage: InferenceStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second frame is handed in in the middle of the evaluation of the first."""
    observe = stage.selection.observe
    evaluated: list[str] = []

    def observe_slowly(observation: Observation, now: float) -> list[Capture]:
        if not evaluated:
            assert stage.inference.step() == 0.0
        evaluated.append(observation.frame.camera)
        return observe(observation, now)

    monkeypatch.setattr(stage.selection, "observe", observe_slowly)
    stage.mailbox.put(frame(camera="gate"))
    stage.mailbox.put(frame(camera="yard"))

    assert stage.inference.step() == 0.0

    assert evaluated == ["gate", "yard"]


def test_a_frame_becomes_a_capture_with_a_name_and_one_line(
    stage: InferenceStage, log: Recorder
) -> None:
    stage.mailbox.put(frame(sequence=7))

    assert stage.inference.step() == 0.0
    assert stage.inference.step() == 0.0

    chosen = stage.queue.get_nowait()
    assert chosen.observation.frame.sequence == 7
    assert log.one("frame captured")["capture"] == chosen.id
    assert log.one("frame captured")["rules"] == "every_nth"
    assert stage.stats.total() == {"analysed": 1, "captured": 1, "captured/every_nth": 1}


def test_the_detections_are_part_of_the_capture(clock: ManualClock, log: Recorder) -> None:
    stage = InferenceStage(clock, log, Scripted([(detection(0.4),)]))
    stage.mailbox.put(frame(sequence=0))
    stage.inference.step()
    stage.inference.step()

    observation = stage.queue.get_nowait().observation
    assert observation.detections == (detection(0.4),)


def test_a_full_queue_stops_the_analysis_and_keeps_the_order(stage: InferenceStage) -> None:
    for sequence in range(3):
        stage.mailbox.put(frame(sequence=sequence))
        stage.inference.step()
    stage.mailbox.put(frame(sequence=3))

    assert stage.inference.step() == FULL_S
    assert stage.inference.pending == 1
    assert stage.stats.total()["analysed"] == 3
    assert stage.queued() == [0, 1]

    assert stage.inference.step() == 0.0
    assert stage.inference.step() == 0.0
    assert stage.queued() == [2, 3]
    assert stage.inference.pending == 0


def test_it_is_done_when_the_mailbox_is_closed_and_all_is_in_the_queue(
    stage: InferenceStage,
) -> None:
    for sequence in range(3):
        stage.mailbox.put(frame(sequence=sequence))
        stage.inference.step()
    stage.mailbox.put(frame(camera="yard", sequence=3))
    stage.mailbox.close()

    assert stage.inference.step() == FULL_S
    assert stage.queued() == [0, 1]
    steps = [stage.inference.step() for _ in range(2)]

    assert steps == [0.0, None]
    assert stage.queued() == [2, 3]


def test_a_step_without_a_frame_comes_back(stage: InferenceStage) -> None:
    assert stage.inference.step() == 0.0


@pytest.mark.parametrize(
    ("steps", "states"),
    [
        ([1.0] * 30, ["disabled"]),
        ([0.4, 0.9] * 30, ["disabled"]),
        ([0.47, 0.57] * 30, []),
        ([0.2] * 30, []),
        ([0.6, 1.4, 0.9, 0.8] + [0.2] * 30, []),  # an uneven start
        ([1.0] * 30 + [0.2] * 30 + [1.0] * 30, ["disabled", "enabled", "disabled"]),
    ],
)
def test_that_frames_come_too_slowly_is_said_once(
    clock: ManualClock, log: Recorder, steps: list[float], states: list[str]
) -> None:
    plan = SelectionPlan(("flicker",), Thresholds(0.5), "", is_random=False)
    chosen = Selection(["gate", "yard"], plan, new_id=new_id)
    stage = InferenceStage(clock, log, Scripted(), chosen)
    for number, at in enumerate(accumulate(steps, initial=0.0)):
        stage.mailbox.put(frame(at, sequence=number))
        stage.inference.step()

    said = [line for line in log.lines if line["event"].startswith("temporal rules ")]
    assert [line["event"].removeprefix("temporal rules ") for line in said] == states
    assert {line["camera"] for line in said} <= {"gate"}


BLACK = np.zeros((4, 6, 3), np.uint8)


class Failing:
    """A model whose runs fail on black frames."""

    info = MODEL

    def detect(self, pixels: Pixels) -> Prediction:
        if pixels.any():
            return Prediction(self.info)
        return Prediction(self.info, invalid=True, failure="NMS found nothing")


def test_a_frame_on_which_the_model_fails_is_captured_and_logged_once_an_hour(
    clock: ManualClock, log: Recorder
) -> None:
    plan = SelectionPlan((), Thresholds(0.5), "", is_random=False)
    stage = InferenceStage(clock, log, Failing(), Selection(["gate", "yard"], plan, new_id=new_id))
    captured = 0
    for _ in range(40):
        clock.now += REPEAT_S / 30
        stage.mailbox.put(frame(clock.now, pixels=BLACK))
        assert stage.inference.step() == 0.0
        captured += len(stage.queued())

    lines = [line for line in log.lines if line["event"] == "model run failed"]
    assert [(line["failed"], line["camera"]) for line in lines] == [(1, "gate"), (30, "gate")]
    assert {line["error"] for line in lines} == {"NMS found nothing"}
    assert captured
    assert stage.stats.total()["captured/invalid_output"] == captured


class Hanging:
    """A model whose run on the frame of grey level 0 ends only when it is let go."""

    info = MODEL

    def __init__(self) -> None:
        self.hanging, self.let_go = Event(), Event()

    def detect(self, pixels: Pixels) -> Prediction:
        if pixels[0, 0, 0] == 0:
            self.hanging.set()
            self.let_go.wait(60)
        return Prediction(self.info)


def test_while_a_run_hangs_later_frames_of_that_camera_are_dropped_not_collected(
    clock: ManualClock, log: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.runtime.inference.TAKE_TIMEOUT_S", 0.0)
    model = Hanging()
    stage = InferenceStage(clock, log, model)
    stage.mailbox.put(frame(sequence=0))
    hung = Thread(target=stage.inference.step)
    hung.start()
    assert model.hanging.wait(60)
    for sequence in range(1, 50):
        stage.mailbox.put(frame(sequence=sequence))
        stage.mailbox.put(frame(camera="yard", sequence=sequence))
        for _ in range(3):
            stage.inference.step()
        stage.queued()

    counts = stage.mailbox.counts()
    assert counts.taken == 3 + 49  # of the hanging camera: three; of the other: all
    assert counts.dropped == 46  # and one is in the mailbox
    model.let_go.set()
    hung.join(60)
    stage.inference.step()
    assert stage.queued() == [0, 1]


def test_at_a_stop_frames_behind_a_run_that_hangs_are_evaluated(
    clock: ManualClock, log: Recorder
) -> None:
    model = Hanging()
    stage = InferenceStage(clock, log, model)
    stage.mailbox.put(frame(sequence=0))
    hung = Thread(target=stage.inference.step)
    hung.start()
    assert model.hanging.wait(60)
    for sequence in (1, 2):
        stage.mailbox.put(frame(sequence=sequence))
        stage.inference.step()
    assert stage.queued() == []
    stage.mailbox.close()

    assert stage.inference.abandon_runs()
    assert stage.queued() == [1, 2]
    model.let_go.set()
    hung.join(60)
    assert stage.inference.step() is None
    assert stage.queued() == []
