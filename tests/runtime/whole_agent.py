"""The whole daemon of real stages, with a camera, a model and an endpoint in memory."""

from collections.abc import Iterable, Iterator, Mapping
from queue import Queue
from threading import Event, Thread

from agent.domain import Capture, ClipSpan, Frame, Pixels, Prediction
from agent.errors import CameraLost
from agent.ports import Clock, FrameSource, UploadTarget
from agent.runtime.inference import Inference
from agent.runtime.mailbox import Mailbox
from agent.runtime.preroll import ClipStage
from agent.runtime.reader import Reader
from agent.runtime.stats import Stats
from agent.runtime.supervisor import ExitCode, Stages, Supervisor
from agent.runtime.uploader import Uploader
from agent.runtime.writer import Writer
from agent.spool.spool import Spool
from agent.upload.backoff import Backoff
from tests.fakes.captures import detection, frame
from tests.fakes.clock import DeadlineClock, ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import (
    MAKER,
    MODEL,
    PlainEncoder,
    Says,
    every_frame,
    no_thumbnail,
    wait_until,
)
from tests.upload.fake_target import FakeTarget


class Recording:
    """So many frames, then the end."""

    live = False
    unreadable = 0
    passed_over = ""
    progress_at = 0.0

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames: Iterator[Frame] = iter(frames)

    def read(self) -> Frame | None:
        return next(self._frames, None)

    def close(self) -> None:
        """Nothing is open."""


class NoRecording(Recording):
    """A file that is not there."""

    def __init__(self) -> None:
        super().__init__([])

    def read(self) -> Frame | None:
        raise CameraLost("cannot read recording: not found")


STREAM = ("camera ", "inference ", "clips", "writer", "upload ")
"""How the names of the workers begin that end first."""


def running(supervisor: Supervisor, codes: list[ExitCode], clock: DeadlineClock) -> Thread:
    """Run an agent in a thread, at whose looks alone time passes."""
    clock.waits = main = Thread(target=lambda: codes.append(supervisor.run()))
    main.start()
    return main


def stop_beside(hung: str, supervisor: Supervisor, main: Thread, clock: DeadlineClock) -> None:
    """Stop an agent while a worker of this name hangs, and wait for the end.

    Time goes on only while the others have nothing to do: on a slow machine they would be late too.
    """
    clock.seconds = 0.0
    supervisor.stop()
    others = [each for each in supervisor._workers if each.name.startswith(STREAM)]
    wait_until(lambda: all(each.ended for each in others if each.name != hung))
    clock.seconds = 0.5
    main.join(60)


class HungCamera:
    """Its driver does not come back, until the test lets it."""

    live = True
    unreadable = 0
    passed_over = ""
    progress_at = 0.0

    def __init__(self) -> None:
        self.reading = Event()
        self.let_go = Event()
        self.is_open = True

    def read(self) -> Frame | None:
        self.reading.set()
        self.let_go.wait(60)
        return frame()

    def close(self) -> None:
        self.is_open = False


class Model:
    """Sees one doubtful car in everything."""

    info = MODEL

    def __init__(self) -> None:
        self.bug: Exception | None = None

    def detect(self, pixels: Pixels) -> Prediction:
        if self.bug:
            raise self.bug
        return Prediction(self.info, (detection(0.4),))


class WholeAgent:
    """Every frame becomes a capture; a source alone is the camera "gate"."""

    def __init__(
        self,
        source: FrameSource | Mapping[str, FrameSource],
        spool: Spool,
        log: Recorder,
        *,
        target: UploadTarget | None = None,
        clock: Clock | None = None,
        queue_length: int = 8,
        watchdog: float | None = None,
        stall: float = 20,
        span: ClipSpan | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.says = Says()
        self.model = Model()
        self.target = target or FakeTarget()
        self.stats = Stats()
        self.queue: Queue[Capture] = Queue(queue_length)
        chosen, clips = self.queue, None
        if span is not None:
            chosen = Queue(queue_length)
            clips = ClipStage(
                span,
                PlainEncoder(),
                chosen,
                self.queue,
                stats=self.stats,
                clock=self.clock,
                log=log.log,
            )
        sources = source if isinstance(source, Mapping) else {"gate": source}
        mailbox = Mailbox({name: not each.live for name, each in sources.items()})
        pace = Backoff(lambda _: 0.0, first_bound=0.0)
        self.stages = Stages(
            readers=[
                Reader(
                    name,
                    each,
                    mailbox,
                    real_time=False,
                    stall=stall,
                    clock=self.clock,
                    log=log.log,
                )
                for name, each in sources.items()
            ],
            mailbox=mailbox,
            inference=Inference(
                mailbox,
                self.model,
                every_frame(*sources),
                chosen,
                shrink=no_thumbnail,
                stats=self.stats,
                clock=self.clock,
                log=log.log,
                clips=clips,
            ),
            clips=clips,
            inference_workers=2,
            queue=self.queue,
            writer=Writer(
                self.queue,
                PlainEncoder(),
                MAKER,
                spool,
                synchronized=lambda _: True,
                stats=self.stats,
                log=log.log,
            ),
            spool=spool,
            uploader=Uploader(
                spool, self.target, pace, stats=self.stats, clock=self.clock, log=log.log
            ),
            upload_workers=2,
            upload_timeout=30.0,
            stats=self.stats,
        )
        self.supervisor = Supervisor(
            self.stages, clock=self.clock, notifier=self.says, log=log.log, watchdog=watchdog
        )
