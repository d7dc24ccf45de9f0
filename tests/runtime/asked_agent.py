"""The stages of a daemon that somebody asks for frames, stepped by the test; nothing is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from queue import Queue
from typing import Any

import numpy as np

from agent.domain import Capture, Detection, Grey, Pixels, Prediction, StoredCapture, Thresholds
from agent.runtime.asked_captures import AskedCaptures, CaptureParts
from agent.runtime.facts import FactWriter
from agent.runtime.inference import Inference
from agent.runtime.known_captures import KnownCaptures
from agent.runtime.listeners import PipelineEvents
from agent.runtime.mailbox import Mailbox
from agent.runtime.past_captures import PastCaptures
from agent.runtime.recent import RecentFrames
from agent.runtime.stats import Stats
from agent.runtime.stored_verdicts import StoredVerdicts
from agent.runtime.verdicts import GivenVerdicts
from agent.runtime.writer import Writer
from agent.selection.device import Selection
from agent.selection.plan import SelectionPlan
from agent.spool.spool import Spool
from agent.system import new_id
from tests.fakes.captures import detection, frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import MAKER, MODEL, PlainEncoder

CERTAIN, DOUBTFUL = 0.95, 0.5
SIZE = (4, 6, 3)


def textured(pixels: Pixels) -> Grey:
    """Return the thumbnail of a sharp scene in which one spot differs from frame to frame."""
    grey = np.random.default_rng(0).integers(40, 200, (180, 320), np.uint8)
    grey[0, 0] = pixels[0, 0, 0]
    return grey


class ShownCar:
    """A model that sees one car in everything, as confident as the test says."""

    info = MODEL

    def __init__(self) -> None:
        self.confidence = CERTAIN

    def detect(self, pixels: Pixels) -> Prediction:
        found: tuple[Detection, ...] = (detection(self.confidence),)
        return Prediction(self.info, found)


class AskedAgent:
    """Each pixel of a frame is its sequence, and so is each byte of its image."""

    def __init__(
        self,
        spool: Spool,
        clock: ManualClock,
        log: Recorder,
        *,
        rules: Sequence[str] = ("low_confidence",),
        every_nth: int = 0,
        queue_length: int = 8,
    ) -> None:
        self.spool = spool
        self.clock = clock
        self.log = log
        self.stats = Stats()
        self.model = ShownCar()
        self.mailbox = Mailbox({"gate": False, "yard": False})
        self.queue: Queue[Capture] = Queue(queue_length)
        plan = SelectionPlan(
            rules=rules,
            thresholds=Thresholds(0.5),
            seed="",
            is_random=False,
            every_nth=every_nth,
        )
        events = PipelineEvents()
        selection = Selection(
            ["gate", "yard"],
            plan,
            new_id=new_id,
            explain=events.evaluated.tell,
        )
        self.inference = Inference(
            self.mailbox,
            self.model,
            selection,
            self.queue,
            shrink=textured,
            stats=self.stats,
            clock=clock,
            log=log.log,
        )
        self.inference.events = events
        self.recent = RecentFrames(
            ["gate", "yard"],
            lambda seen: bytes([seen.sequence % 256]) * 100,
            fps=5.0,
            stats=self.stats,
            clock=clock,
            log=log.log,
            idle=0.0,
        )
        followed = self.stats.followed
        self.past = PastCaptures(
            self.inference, followed, decode=self.decoded, clock=clock, idle=0.0
        )
        self.known = KnownCaptures(followed)
        self.recent.listen(self.inference.events)
        self.inference.events.captured.add(self.known.note)
        self.writer = Writer(
            self.queue,
            PlainEncoder(),
            MAKER,
            spool,
            synchronized=lambda _: True,
            stats=self.stats,
            log=log.log,
        )
        self.facts = FactWriter(spool, log=log.log)
        self.stored = StoredVerdicts(spool, self.writer.add, self.facts.keep, followed, idle=0.0)
        parts = CaptureParts(self.recent, self.past, self.known, spool, new_id)
        self.captures = AskedCaptures(parts)
        self.verdicts = GivenVerdicts(
            parts, self.stored, self.facts.keep, stats=self.stats, clock=clock, log=log.log
        )
        events.captured.add(self.verdicts.captured)
        self.sequence = 0

    def decoded(self, jpeg: bytes) -> Pixels | None:
        return np.full(SIZE, jpeg[0], np.uint8)

    def play(self, frames: int, *, camera: str = "gate", encode: bool = True) -> None:
        """Analyse frames at 5 a second; the last one was 0.2 s ago then."""
        for _ in range(frames):
            made = frame(self.clock.now, camera=camera, sequence=self.sequence)
            self.mailbox.put(replace(made, captured_at=self.clock.wall()))
            self.sequence += 1
            self.inference.step()
            if encode:
                self.recent.step()
            self.clock.now += 0.2

    def work(self) -> None:
        """Let each thread do what it can do now."""
        self.past.step()
        self.stored.step()
        self.inference.step()
        self.writer.step()
        self.facts.step()

    def waiting(self) -> dict[str, StoredCapture]:
        """What is in the spool, by id."""
        found = {}
        for line in self.log.lines:
            if line["event"] == "capture stored":
                stored = self.spool.read(line["capture"])
                if stored is not None:
                    found[stored.id] = stored
        return found

    def sent(self) -> list[StoredCapture]:
        """Deliver all that waits."""
        delivered = []
        while (capture := self.spool.claim()) is not None:
            self.spool.acknowledge(capture.id)
            delivered.append(capture)
        return delivered

    def lines(self) -> list[Mapping[str, Any]]:
        """Deliver all; the verdicts in all records."""
        return [line for each in self.sent() for line in each.record["verdicts"]]
