"""The main thread: starts all workers, feeds the watchdog, and stops workers in stream order."""

import contextlib
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from queue import Empty, Queue, SimpleQueue

from agent.domain import Capture
from agent.exchange.state import Phase
from agent.logs import Log
from agent.ports import Clock, Notifier
from agent.runtime.exchange import Exchange
from agent.runtime.feedback import FeedbackReload
from agent.runtime.housekeeping import Housekeeping
from agent.runtime.inference import FULL_S, Inference
from agent.runtime.mailbox import Mailbox
from agent.runtime.metrics import Metrics
from agent.runtime.model import ModelChange
from agent.runtime.past_captures import PastCaptures
from agent.runtime.preroll import ClipStage
from agent.runtime.reader import Reader
from agent.runtime.stats import Stats
from agent.runtime.summary import Summary
from agent.runtime.uploader import Uploader
from agent.runtime.worker import Step, Worker
from agent.runtime.writer import Writer
from agent.spool.spool import Spool

STOP_S = 18.0
"""Seconds that a stop may take in all; systemd is told 20."""

TICK_S = 1.0
CLOCK_STEP_S = 5.0

_INFERENCE_TIMEOUT_S = 60.0
_DISK_TIMEOUT_S = 120.0  # garbage collection of an SD card may block a sync for long
_WRITER_STOP_S = STOP_S - 2.0  # leaves time for the uploaders
_UPLOAD_STOP_S = STOP_S - 1.0  # leaves time for the last summary
_SIDE_STOP_S = 2.5  # a small file, a last heartbeat
_ALL_STOP_S = STOP_S + 1.0  # systemd is told 20 s
_CAMERA_STOP_S = 2.0  # nothing depends on a camera, and one may hang in its driver


class ExitCode(IntEnum):
    """How the daemon ends."""

    STOPPED = 0
    BUG = 1
    CONFIGURATION = 78


class StopReason(StrEnum):
    """Why the daemon stops, as the log says it."""

    BUG = "bug"
    ASKED = "asked"
    RECORDING_FAILED = "recording failed"
    RECORDINGS_ENDED = "recordings ended"


@dataclass(frozen=True, slots=True)
class SideWorker:
    """A worker beside the pipeline: it may hang, and neither that nor its end ends the process."""

    name: str
    step: Step
    close: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Stages:
    """All connected parts of the pipeline."""

    readers: Sequence[Reader]
    mailbox: Mailbox
    inference: Inference
    inference_workers: int
    queue: "Queue[Capture]"
    writer: Writer
    spool: Spool
    uploader: Uploader | None  # None: captures stay on disk
    upload_workers: int
    upload_timeout: float  # seconds that one delivery may take
    stats: Stats
    model_change: ModelChange | None = None  # None: the model is never replaced
    feedback: FeedbackReload | None = None  # None without AGENT_FEEDBACK
    metrics: Metrics | None = None
    exchange: Exchange | None = None  # None: no other process can watch or ask
    clips: ClipStage | None = None  # None: captures have no clips
    sides: tuple[SideWorker, ...] = ()
    asked: PastCaptures | None = None  # None: nobody can ask for an earlier frame


class Supervisor:
    """Runs the stages until a stop is requested, all recordings have ended, or a worker fails.

    Its own thread never waits for the disk: a sync that takes a minute must neither starve the
    watchdog nor delay the end of a stop.
    """

    def __init__(
        self,
        stages: Stages,
        *,
        clock: Clock,
        notifier: Notifier,
        log: Log,
        watchdog: float | None = None,
    ) -> None:
        """`watchdog`: seconds within which the service manager expects the next `WATCHDOG=1`."""
        self._stages = stages
        self._clock = clock
        self._notifier = notifier
        self._log = log
        self._tick = min(TICK_S, watchdog / 3) if watchdog else TICK_S
        self._watchdog = watchdog
        # Reentrant, unlike Event: a signal handler may call `put` during `get`.
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._stop = False
        self._requested = False
        self._thread_failed = False
        self._readers = [
            self._worker(
                f"camera {reader.camera}", reader.step, timeout=math.inf, close=reader.close
            )
            for reader in stages.readers
        ]
        self._inference = [
            self._worker(f"inference {n}", stages.inference.step, timeout=_INFERENCE_TIMEOUT_S)
            for n in range(stages.inference_workers)
        ]
        self._writer = self._worker("writer", stages.writer.step, timeout=_DISK_TIMEOUT_S)
        self._clips: list[Worker] = []
        if stages.clips is not None:
            self._clips = [self._worker("clips", stages.clips.step, timeout=_INFERENCE_TIMEOUT_S)]
        self._uploaders: list[Worker] = []
        if stages.uploader is not None:
            timeout = stages.upload_timeout + _DISK_TIMEOUT_S
            step, close = stages.uploader.step, stages.uploader.close
            self._uploaders = [
                self._worker(f"upload {n}", step, timeout=timeout, close=close)
                for n in range(stages.upload_workers)
            ]
        self._change: list[Worker] = []
        if stages.model_change is not None:
            change = stages.model_change
            timeout = change.heartbeat.limit + _INFERENCE_TIMEOUT_S
            self._change = [self._worker("model", change.step, timeout=timeout)]
        self._summary = Summary(stages.mailbox, stages.stats, stages.spool, stages.uploader, log)
        housekeeping = Housekeeping(
            self._summary,
            stages.inference,
            stages.spool,
            stages.uploader,
            notifier=notifier,
            clock=clock,
            metrics=stages.metrics,
            live=None if stages.exchange is None else stages.exchange.live,
        )
        self._housekeeping = self._worker(
            "housekeeping", housekeeping.step, timeout=_DISK_TIMEOUT_S, close=housekeeping.close
        )
        self._side: list[Worker] = []  # may hang on a folder of others: never ends the process
        if stages.metrics is not None:
            metrics = stages.metrics
            self._side.append(
                self._worker("metrics", metrics.step, timeout=math.inf, close=metrics.close)
            )
        if stages.feedback is not None:
            self._side.append(self._worker("feedback", stages.feedback.step, timeout=math.inf))
        if stages.exchange is not None:
            exchange = stages.exchange
            self._side.append(
                self._worker("exchange", exchange.step, timeout=math.inf, close=exchange.close)
            )
        self._side += [
            self._worker(side.name, side.step, timeout=math.inf, close=side.close)
            for side in stages.sides
        ]
        self._workers = [
            *self._side,
            *self._uploaders,
            self._housekeeping,
            self._writer,
            *self._clips,
            *self._inference,
            *self._readers,
            *self._change,
        ]
        self._next_ping = clock.monotonic()
        self._stalled: list[str] = []
        self._stalled_uploads: list[str] = []
        self._urgent_since = math.inf
        self._wall_offset = clock.wall() - clock.monotonic()

    def stop(self) -> None:
        """Request an orderly stop; may be called from a signal handler."""
        self._stop = True
        self._wakeups.put(None)

    def request(self) -> None:
        """Request a capture of each camera's next frame; may be called from a signal handler."""
        self._requested = True
        self._wakeups.put(None)

    def thread_failed(self, args: threading.ExceptHookArgs) -> None:
        """End the process because a thread that is no worker ended with a bug.

        For `threading.excepthook`: without such a thread, deadlines or log lines may be missing.
        """
        name = "unknown" if args.thread is None else args.thread.name
        failure = (args.exc_type, args.exc_value, args.exc_traceback)
        self._log.critical("worker failed", worker=name, exc_info=failure)
        self._thread_failed = True
        self._wakeups.put(None)

    def reload(self) -> None:
        """Request a look at the model file and the feedback file; a signal handler may call it."""
        if self._stages.model_change is not None:
            self._stages.model_change.ask()
        if self._stages.feedback is not None:
            self._stages.feedback.ask()

    def run(self) -> ExitCode:
        """Run until the stop, stop in stream order, and return the exit code of the process."""
        self._enter(Phase.RUNNING)  # first: on flash the first state stands for a minute
        for worker in self._workers:
            worker.start()
        self._notifier.notify("READY=1\nSTATUS=capturing")
        while not self._stop and not self._all_read() and not self._failed():
            self.watch()
            self._pause()
        return self._wind_down()

    @property
    def left_behind(self) -> bool:
        """Whether a thread still runs: the process must not wait for it, nor free what it uses."""
        return not all(worker.ended for worker in self._workers)

    def watch(self) -> None:
        """Feed the watchdog, forward a request, and check the wall clock for a jump."""
        now = self._clock.monotonic()
        self._ping(now)
        for reader in self._stages.readers:
            reader.watch(now)
        if self._requested:  # not in the handler: it could interrupt the holder of the lock
            self._requested = False
            self._stages.inference.request()
        offset = self._clock.wall() - now
        step, self._wall_offset = offset - self._wall_offset, offset
        if abs(step) > CLOCK_STEP_S:
            self._log.warning("clock stepped", seconds=round(step, 1))

    def _ping(self, now: float) -> None:
        """Feed the watchdog unless a worker's step exceeds its timeout.

        A delivery that hangs, as on a network disk that is gone, must not end the capturing.
        """
        late = [worker for worker in self._workers if worker.overdue(now)]
        uploads = [worker.description for worker in late if worker in self._uploaders]
        stalled = [worker.description for worker in late if worker not in self._uploaders]
        if self._stages.exchange is not None:
            self._stages.exchange.live.stalled = (*stalled, *uploads)
        if stalled != self._stalled:
            before, self._stalled = self._stalled, stalled
            if stalled:
                self._log.critical("worker stalled", workers=",".join(stalled))
            else:
                self._log.critical("worker recovered", workers=",".join(before))
        if uploads != self._stalled_uploads:
            before, self._stalled_uploads = self._stalled_uploads, uploads
            if uploads:
                self._log.error("upload stalled", workers=",".join(uploads))
            else:
                self._log.error("upload stall ended", workers=",".join(before))
        if self._watchdog and not stalled and now >= self._next_ping:
            self._notifier.notify("WATCHDOG=1")
            if self._stages.model_change is not None:
                self._stages.model_change.heartbeat.tell()
            self._next_ping = now + self._watchdog / 3

    def _wind_down(self) -> ExitCode:
        """Stop in stream order, so that captures in memory reach the disk."""
        stages = self._stages
        self._enter(Phase.STOPPING)
        self._notifier.notify("STOPPING=1\nSTATUS=writing what is in memory")
        self._log.info("agent stopping", reason=self._reason().value)
        for worker in (*self._readers, *self._change):
            worker.stop()
        for reader in stages.readers:
            reader.interrupt()
        stages.mailbox.close()
        self._await(self._inference, STOP_S / 2)
        if stages.asked is not None:
            stages.asked.finish()
        while not stages.inference.abandon_runs() and self._writes_in_time():
            self._pause(FULL_S)
        if stages.clips is not None:
            stages.clips.finishing = True
            self._await(self._clips, _WRITER_STOP_S)
        stages.writer.finishing = True
        self._await([self._writer], _WRITER_STOP_S)
        self._hurry()  # a delivery can be cut short: it is on disk
        for worker in (self._writer, *self._clips, *self._inference, *self._uploaders):
            worker.stop()
        self._await(self._uploaders, _UPLOAD_STOP_S)
        self._await([*self._readers, *self._change], _CAMERA_STOP_S)
        self._housekeeping.stop()
        self._await([self._housekeeping], STOP_S)
        lost = stages.inference.pending + self._held + stages.writer.pending
        code = self._exit_code()
        if stages.exchange is not None:
            stages.exchange.live.end = int(code), self._reason().value
        self._enter(Phase.STOPPED)
        for worker in self._side:
            worker.stop()
        so_far = self._clock.monotonic() - self._urgent_since
        self._await(self._side, min(so_far + _SIDE_STOP_S, _ALL_STOP_S))
        report = self._log.error if lost or code else self._log.info
        report(
            "agent stopped",
            reason=self._reason().value,
            exit_code=int(code),
            waiting=self._summary.waiting,
            lost=lost,
        )
        return code

    def _enter(self, phase: Phase) -> None:
        if self._stages.exchange is not None:
            self._stages.exchange.live.phase = phase

    def _await(self, workers: Sequence[Worker], limit: float) -> None:
        """Wait for workers to end, at most until `limit` seconds after a stop became urgent.

        It is not urgent when the recordings have ended: their last frames may take their time.
        """
        while not all(worker.ended for worker in workers):
            if self._stop or self._failed():
                self._hurry()
            if self._clock.monotonic() >= self._urgent_since + limit:
                self._report_overdue([worker for worker in workers if not worker.ended])
                return
            self.watch()
            self._pause()

    def _report_overdue(self, late: Sequence[Worker]) -> None:
        """Say which workers are abandoned, and what of theirs is not on disk."""
        stages = self._stages
        costs = []
        captures = 0
        if any(worker in self._inference for worker in late):
            captures += stages.inference.pending
            costs.append(
                "the frames that are being analysed, and their captures if they become any"
                + (f"; {stages.inference.pending} captures that wait" if captures else "")
            )
        if any(worker in self._clips for worker in late):
            captures += self._held
            costs.append(f"{self._held} captures that wait for their clip")
        if self._writer in late:
            captures += stages.writer.pending
            costs.append(f"{stages.writer.pending} captures in memory that are not on disk")
        if any(worker in self._uploaders for worker in late):
            costs.append("no capture: what is being sent stays on disk and is sent again")
        if any(worker in self._readers for worker in late):
            costs.append("no capture: a camera holds frames that were not analysed")
        say_overdue = self._log.error if captures else self._log.warning
        say_overdue(
            "stop overdue",
            workers=",".join(worker.description for worker in late),
            lost="; ".join(costs) or "nothing",
        )

    def _writes_in_time(self) -> bool:
        """Whether the writer still works, and the time that it has in a stop is not over."""
        over = self._clock.monotonic() >= self._urgent_since + _WRITER_STOP_S
        return not over and not self._writer.ended

    @property
    def _held(self) -> int:
        """Captures that wait for their clip."""
        return 0 if self._stages.clips is None else self._stages.clips.pending

    def _hurry(self) -> None:
        self._urgent_since = min(self._urgent_since, self._clock.monotonic())

    def _pause(self, seconds: float | None = None) -> None:
        with contextlib.suppress(Empty):
            self._wakeups.get(timeout=self._tick if seconds is None else seconds)

    def _reason(self) -> StopReason:
        if self._failed():
            return StopReason.BUG
        if self._stop:
            return StopReason.ASKED
        if self._recording_failed():
            return StopReason.RECORDING_FAILED
        return StopReason.RECORDINGS_ENDED

    def _exit_code(self) -> ExitCode:
        if self._failed():
            return ExitCode.BUG
        if not self._stop and self._recording_failed():
            return ExitCode.CONFIGURATION
        return ExitCode.STOPPED

    def _all_read(self) -> bool:
        return all(worker.ended for worker in self._readers)

    def _recording_failed(self) -> bool:
        return any(reader.failed for reader in self._stages.readers)

    def _failed(self) -> bool:
        return self._thread_failed or any(worker.failed for worker in self._workers)

    def _worker(
        self, name: str, step: Step, *, timeout: float, close: Callable[[], None] | None = None
    ) -> Worker:
        return Worker(
            name,
            step,
            timeout=timeout,
            clock=self._clock,
            log=self._log,
            ended=lambda: self._wakeups.put(None),
            close=close,
        )
