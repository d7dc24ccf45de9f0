"""Pushed frames in the pipeline: no backoff, all drops counted, and outputs never mixed."""

from dataclasses import replace
from queue import Queue

import numpy as np

from agent.camera.masked import MaskedSource
from agent.camera.masks import parse_masks
from agent.domain import Capture, ModelInfo, Observation, Pixels, Prediction, Task, Thresholds
from agent.record.image import JpegEncoder
from agent.runtime.inference import Inference
from agent.runtime.mailbox import Mailbox
from agent.runtime.motion import StillFrames
from agent.runtime.reader import CameraCondition, Reader
from agent.runtime.stats import Stats
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.system import new_id
from tests.camera.push.pushed import PushedCamera, image_file, one_pill, predictions_of
from tests.fakes.captures import detection, frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import MODEL

PUSHED = ModelInfo("counter", "1" * 64, Task.DETECT, "application", ("pill",))
STEP_S = 0.2
SHEETS = [np.random.default_rng(n).integers(88, 93, (180, 320), np.uint8) for n in range(7)]
"""Thumbnails of a still scene: they differ by noise."""


def reader_of_pushed(camera: PushedCamera, log: Recorder) -> tuple[Reader, Mailbox]:
    mailbox = Mailbox({"line": False})
    reader = Reader(
        "line",
        camera.source,
        mailbox,
        real_time=True,
        stall=20.0,
        clock=camera.clock,
        log=log.log,
    )
    return reader, mailbox


def test_a_camera_that_waits_for_its_first_frame_says_so(log: Recorder) -> None:
    reader, _ = reader_of_pushed(PushedCamera(), log)

    assert reader.report.condition is CameraCondition.OPENING
    assert reader.report.error == "waits for frames from the application"


def test_a_frame_that_comes_after_a_long_silence_is_read_at_once(log: Recorder) -> None:
    camera = PushedCamera(step=0.25)
    reader, mailbox = reader_of_pushed(camera, log)

    waits = [reader.step() for _ in range(5)]  # each waits in the source itself
    lost = reader.report
    camera.intake.put("line", image_file())
    waits.append(reader.step())

    assert waits == [0.0] * 6
    assert lost.condition is CameraCondition.LOST
    assert "no frame was pushed to camera line for" in (lost.error or "")
    assert reader.report.condition is CameraCondition.LIVE
    assert log.events == ["camera lost", "camera recovered"]
    assert log.one("camera lost")["retry_in_s"] == 0
    assert mailbox.counts().offered == 1


def test_frames_that_were_replaced_before_the_reader_took_them_are_counted(log: Recorder) -> None:
    camera = PushedCamera()
    reader, mailbox = reader_of_pushed(camera, log)

    for round_ in range(2):
        for seed in range(5):
            camera.intake.put("line", image_file(seed=seed + 5 * round_))
        reader.step()

    counts = mailbox.camera_counts()["line"]
    assert (counts.offered, counts.dropped, counts.taken) == (10, 9, 0)


def test_a_frame_that_a_stop_leaves_behind_is_counted(log: Recorder) -> None:
    camera = PushedCamera()
    reader, mailbox = reader_of_pushed(camera, log)
    camera.intake.put("line", image_file())

    reader.interrupt()
    reader.step()

    assert (mailbox.counts().offered, mailbox.counts().dropped) == (1, 1)
    assert log.events == []


def test_frames_are_counted_behind_masks_too(log: Recorder) -> None:
    camera = PushedCamera()
    masked = MaskedSource(camera.source, parse_masks("0,0 0.5,0 0.5,1 0,1", ["line"]))
    mailbox = Mailbox({"line": False})
    reader = Reader(
        "line", masked, mailbox, real_time=True, stall=20.0, clock=camera.clock, log=log.log
    )
    for seed in range(3):
        camera.intake.put("line", image_file(seed=seed))

    reader.step()

    assert reader.report.condition is CameraCondition.LIVE
    assert mailbox.counts().dropped == 2


def test_masks_hide_the_image_and_what_was_detected_behind_them() -> None:
    camera = PushedCamera()
    masked = MaskedSource(camera.source, parse_masks("0,0 0.5,0 0.5,1 0,1", ["line"]))
    behind = one_pill(box=[1, 1, 30, 40])
    beside = one_pill(box=[40, 1, 60, 40])
    across = one_pill(box=[28, 1, 60, 40])
    camera.intake.put("line", image_file(), predictions_of(behind, beside, across))

    read = masked.read()

    assert read is not None
    assert read.jpeg is None
    assert (read.pixels[:, :32] == 114).all()
    assert read.prediction is not None
    assert [each.box.x_min for each in read.prediction.detections] == [40, 28]


def test_labels_to_hide_are_hidden_where_the_application_found_them() -> None:
    camera = PushedCamera(redact=("face",))
    face = {"label": "face", "confidence": 0.4, "box": [8, 8, 24, 24]}
    camera.intake.put("line", image_file(), predictions_of(face, labels=["face", "pill"]))
    read = camera.source.read()
    assert read.prediction is not None
    seen = Observation(read, read.prediction.detections, model=read.prediction.model)

    stored = JpegEncoder(quality=90, redact=("face",)).encode(seen)

    assert [part.label for part in stored.hidden] == ["face"]
    assert stored.data != image_file()


class Scene:
    """A still scene with a motion gate, of which some frames come with predictions."""

    def __init__(self, *, every_nth: int = 0) -> None:
        self.runs = 0
        plan = SelectionPlan(
            rules=("flicker",),
            thresholds=Thresholds(0.5),
            seed="",
            is_random=False,
            every_nth=every_nth,
        )
        selection = Selection(["gate"], plan, new_id=new_id)
        self.stats = Stats()
        self.mailbox = Mailbox({"gate": True})
        self.queue: Queue[Capture] = Queue()
        self.inference = Inference(
            self.mailbox,
            self,
            selection,
            self.queue,
            shrink=lambda _pixels: SHEETS[self.frames % 7],
            still=StillFrames(selection.selectors, plan.thresholds),
            stats=self.stats,
            clock=ManualClock(),
            log=Recorder().log,
        )
        self.frames = 0

    info = MODEL

    def detect(self, _pixels: Pixels) -> Prediction:
        self.runs += 1
        return Prediction(MODEL, (detection(0.9, label="car"),))

    def see(self, prediction: Prediction | None) -> Observation:
        pixels = np.full((4, 6, 3), self.frames % 250, np.uint8)
        shown = frame(self.frames * STEP_S, sequence=self.frames, pixels=pixels)
        self.mailbox.put(replace(shown, prediction=prediction))
        self.frames += 1
        self.inference.step()
        newest = self.inference.newest("gate")
        assert newest is not None
        return newest[0]


def test_the_model_does_not_run_on_frames_that_come_with_predictions() -> None:
    scene = Scene(every_nth=1)
    pushed = Prediction(PUSHED, (detection(0.7, label="pill"),))

    seen = [scene.see(pushed) for _ in range(40)]

    assert scene.runs == 0
    assert all(not each.is_still and each.detections == pushed.detections for each in seen)
    assert all(each.model == PUSHED for each in seen)
    assert scene.queue.get().observation.model == PUSHED


def test_outputs_of_one_model_are_never_repeated_for_frames_of_the_other() -> None:
    scene = Scene()
    pushed = Prediction(PUSHED, (detection(0.7, label="pill"),))
    for _ in range(200):
        scene.see(None)
    assert scene.inference.still("gate") > 0

    runs = scene.runs

    for n in range(60):
        given = pushed if n % 2 else None
        seen = scene.see(given)
        assert seen.detections[0].label == ("pill" if given else "car")
        assert (seen.model == PUSHED) == (given is not None)
    assert scene.runs < runs + 10  # the gate goes on between them
