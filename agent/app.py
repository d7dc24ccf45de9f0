"""The composition root: build the daemon from settings and connect its parts."""

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from queue import Queue
from secrets import token_hex

from agent import __version__
from agent.camera.push.intake import PushIntake
from agent.camera.thumbnail import small_grey
from agent.domain import Capture, Task
from agent.exchange.folder import exchange_path
from agent.exchange.state import Limits, Phase
from agent.factories.affirmation import affirmations_per_day
from agent.factories.api import has_doors, side_workers
from agent.factories.application import asking, live_images
from agent.factories.cameras import frame_source, push_intake
from agent.factories.delivery import upload_target, upload_timeout
from agent.factories.feedback import required_feedback
from agent.factories.heartbeat import heartbeat_workers
from agent.factories.images import (
    clip_encoder,
    clip_span,
    image_encoder,
    record_maker,
    viewing_encoder,
)
from agent.factories.model import (
    inference_workers,
)
from agent.factories.running_model import running_model
from agent.factories.selection import plan_for
from agent.factories.spool import spool_of
from agent.factories.status_facts import own_facts
from agent.files import Disk
from agent.logs import Log
from agent.ports import Clock, Notifier, UploadTarget
from agent.runtime.analysed_frames import DescribedFrames
from agent.runtime.answers import Answers, FrameView
from agent.runtime.application import Application
from agent.runtime.auto_labels import AutoReport
from agent.runtime.exchange import Exchange, StatePublisher
from agent.runtime.feedback import FeedbackReload
from agent.runtime.figures import DiskSpace, FigureSource
from agent.runtime.inference import Inference
from agent.runtime.listeners import PipelineEvents
from agent.runtime.live import LiveState, Process
from agent.runtime.mailbox import AHEAD, Mailbox
from agent.runtime.metrics import Metrics
from agent.runtime.model import CurrentModel
from agent.runtime.motion import StillFrames
from agent.runtime.preroll import ClipStage
from agent.runtime.reader import Reader
from agent.runtime.shown_error import shown_error
from agent.runtime.spool_start import once_usable
from agent.runtime.stats import Stats
from agent.runtime.supervisor import Stages, Supervisor
from agent.runtime.uploader import Uploader
from agent.runtime.writer import Writer
from agent.selection.auto_label import ObjectCover
from agent.selection.cover import Cover
from agent.selection.device import Selection
from agent.selection.feedback import Feedback
from agent.selection.selector import FrameEvaluation
from agent.settings.declarations import Settings
from agent.spool.layout import SpoolPaths
from agent.spool.spool import Spool
from agent.system import boot_id, clock_synchronized, full_jitter, new_id, process_start
from agent.upload.backoff import FIRST_BOUND, Backoff
from agent.upload.targets.address import insecure_token_warning

QUEUE_LENGTH = 8
REBUILD_S = 120
"""Seconds that systemd waits for the next report of a start that reads all files of the spool."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Waits that `demo` shortens, so that it shows a day's behaviour in ten seconds."""

    first_upload_bound_s: float = FIRST_BOUND
    waits_for_disk: bool = True  # at start, while the disk is full or read-only


@dataclass(frozen=True, slots=True)
class Agent:
    """The connected daemon, and the parts that a caller may inspect while it runs."""

    supervisor: Supervisor
    spool: Spool
    stats: Stats
    mailbox: Mailbox
    uploader: Uploader | None


@contextlib.contextmanager
def wired(
    settings: Settings,
    *,
    clock: Clock,
    notifier: Notifier,
    log: Log,
    watchdog: float | None = None,
    timing: Timing | None = None,
) -> Iterator[Agent]:
    """Build a daemon that is ready to run, and release its resources afterwards.

    Raises `ConfigurationError` for what a person must fix, `TemporaryError` while another process
    owns the spool, `SpoolUnavailable` if its disk refuses writes.
    """
    timing = timing or Timing()
    target = upload_target(settings, clock=clock)
    warning = insecure_token_warning(settings.upload_url or "", settings.token)
    if warning:
        log.warning("upload insecure", error=warning)
    cover = Cover()  # what the budget purchased: the spool fills it, the selection asks it
    shown = ObjectCover()  # what auto labels show, the same way
    progress = partial(_extend_start_timeout, notifier)
    publisher = _publisher(settings, log=log)
    process = _process(settings, target, clock=clock)
    open_spool = partial(
        spool_of,
        settings,
        clock=clock,
        log=log,
        progress=progress,
        cover=cover,
        shown=shown,
        exchange=publisher.path,
    )
    opening = open_spool()
    if timing.waits_for_disk:
        report = partial(_report_disk, publisher, process, clock)
        # Evicting made no room the first time, and each further time would cost captures.
        again = partial(open_spool, evicts=False)
        opening = once_usable(
            open_spool, open_again=again, notifier=notifier, log=log, report=report
        )
    with opening as spool:
        publisher.begin(process.state(Phase.STARTING, clock, interval=0.0))
        log.info(
            "agent started",
            version=__version__,
            device=settings.device_id,
            cameras=" ".join(f"{camera.name}={camera.shown}" for camera in settings.cameras),
            spool=str(settings.spool_dir),
            waiting=spool.waiting(),
            target=target.name if target else "none",
        )
        change, model = running_model(settings, notifier=notifier, clock=clock, log=log)
        intake = push_intake(settings, lambda: model.info, clock=clock)
        stages = _stages(
            settings,
            timing,
            spool,
            (cover, shown),
            model,
            target,
            clock=clock,
            log=log,
            intake=intake,
        )
        auto = _auto_report(stages.inference, model, log=log)
        feedback = _feedback(settings, stages.inference, model, auto, log=log)
        stages = replace(stages, model_change=change, feedback=feedback)
        live = _live(stages, process, model, clock=clock)
        live.feedback, live.auto = feedback, auto
        asked = asking(settings, stages, clock=clock, log=log)
        exchange = _exchange(settings, stages, publisher, live, clock=clock)
        figures = _figures(settings, stages, live)
        metrics = _metrics(settings, figures, clock=clock, log=log)
        application = Application(
            cameras=tuple(camera.name for camera in settings.cameras),
            live=live,
            events=stages.inference.events,
            clock=clock,
            status=partial(own_facts, settings, live, clock),
            figures=figures.figures,
            recent=asked.recent,
            captures=asked.captures,
            verdicts=asked.verdicts,
            shown=asked.shown,
            intake=intake,
            images=live_images(settings, stages, clock=clock),
            affirms=affirmations_per_day(settings) > 0,
            frames=DescribedFrames(stages.inference.events.analysed, stages.writer.maker),
            facts=asked.facts,
        )
        sides = (
            *asked.sides,
            *side_workers(settings, application, log=log),
            *heartbeat_workers(settings, target, spool, live, clock=clock, log=log),
        )
        stages = replace(stages, exchange=exchange, metrics=metrics, sides=sides, asked=asked.past)
        supervisor = Supervisor(stages, clock=clock, notifier=notifier, log=log, watchdog=watchdog)
        yield Agent(supervisor, spool, stages.stats, stages.mailbox, stages.uploader)


def _publisher(settings: Settings, *, log: Log) -> StatePublisher:
    spool = settings.spool_dir.absolute()
    runtime = os.environ.get("RUNTIME_DIRECTORY")
    path = exchange_path(runtime, spool, in_spool=SpoolPaths(spool).exchange)
    in_memory = path != SpoolPaths(spool).exchange
    return StatePublisher(path, user=os.geteuid(), in_memory=in_memory, disk=Disk(), log=log)


def _report_disk(publisher: StatePublisher, process: Process, clock: Clock, why: str) -> None:
    """Publish why the start waits; without a folder in memory there is no place for it."""
    if publisher.in_memory:
        state = process.state(Phase.STARTING, clock, interval=0.0)
        publisher.begin(replace(state, disk_error=shown_error(why)))


def _process(settings: Settings, target: UploadTarget | None, *, clock: Clock) -> Process:
    return Process(
        id=os.getpid(),
        start=process_start() or 0,
        boot=boot_id(),
        version=__version__,
        device=settings.device_id,
        started_at=clock.monotonic(),
        target=target.name if target else None,
        limits=Limits(
            budget_per_day=settings.budget_per_day,
            spool_max=int(settings.spool_max),
            spool_min_free=int(settings.spool_min_free),
            camera_stall=settings.camera_stall,
            fps=settings.fps,
        ),
    )


def _live(stages: Stages, process: Process, model: CurrentModel, *, clock: Clock) -> LiveState:
    return LiveState(
        process,
        readers=stages.readers,
        mailbox=stages.mailbox,
        inference=stages.inference,
        writer=stages.writer,
        spool=stages.spool,
        uploader=stages.uploader,
        model=model,
        clock=clock,
        clips=stages.clips,
    )


def _auto_report(inference: Inference, model: CurrentModel, *, log: Log) -> AutoReport | None:
    """Return what tells of auto labels; None where the model labels nothing."""
    auto = inference.auto
    return None if auto is None else AutoReport(auto, lambda: model.info, log)


def _feedback(
    settings: Settings,
    inference: Inference,
    model: CurrentModel,
    auto: AutoReport | None,
    *,
    log: Log,
) -> FeedbackReload | None:
    """Return what reads the feedback file, after its first look; None without such a setting."""

    def use(feedback: Feedback) -> None:
        inference.use_feedback(feedback)
        if auto is not None:
            auto.decided()

    reload = None
    if settings.feedback is not None:
        read = partial(required_feedback, settings)
        reload = FeedbackReload(read, use, model=lambda: model.info, log=log)
        reload.load()
    if auto is not None and (reload is None or reload.current is None):
        auto.decided()
    return reload


def _figures(settings: Settings, stages: Stages, live: LiveState) -> FigureSource:
    disk = Disk()
    space = DiskSpace(partial(disk.free_bytes, settings.spool_dir), int(settings.spool_min_free))
    return FigureSource(
        stages.mailbox, stages.stats, stages.spool, stages.uploader, live=live, disk=space
    )


def _metrics(
    settings: Settings, figures: FigureSource, *, clock: Clock, log: Log
) -> Metrics | None:
    if settings.metrics_file is None:
        return None
    return Metrics(settings.metrics_file, figures, publish=Disk().publish, clock=clock, log=log)


def _exchange(
    settings: Settings,
    stages: Stages,
    publisher: StatePublisher,
    live: LiveState,
    *,
    clock: Clock,
) -> Exchange:
    view = FrameView(viewing_encoder(settings), stages.writer.maker)
    answers = Answers(
        stages.readers,
        stages.inference,
        stages.stats.followed,
        view,
        new_id=new_id,
        disk=Disk(),
        clock=clock,
    )
    return Exchange(publisher, live, answers, user=os.geteuid(), clock=clock)


def _extend_start_timeout(notifier: Notifier, read: int, of: int) -> None:
    """Extend systemd's start timeout while a lost index is rebuilt from the files."""
    notifier.notify(
        f"EXTEND_TIMEOUT_USEC={REBUILD_S * 1_000_000}\n"
        f"STATUS=rebuilding the index of the spool: {read} of {of} files"
    )


def _stages(
    settings: Settings,
    timing: Timing,
    spool: Spool,
    covers: tuple[Cover, ObjectCover],
    current: CurrentModel,
    target: UploadTarget | None,
    *,
    clock: Clock,
    log: Log,
    intake: PushIntake | None,
) -> Stages:
    """Build all stages, from the cameras to the endpoint."""
    stats = Stats()
    # A recording that is read as fast as it is analysed must not lose a frame.
    workers = inference_workers(settings)
    mailbox = Mailbox(
        {c.name: settings.fps == 0 and not c.live for c in settings.cameras},
        unfinished=workers + AHEAD,
    )
    queue: Queue[Capture] = Queue(QUEUE_LENGTH)
    clips, chosen = _clips(settings, target, queue, stats=stats, clock=clock, log=log)
    info = current.info
    maker = record_maker(settings, info)
    events = PipelineEvents()
    selection = _selection(settings, covers, spool, events, task=info.task, log=log)
    uploader = _uploader(settings, timing, spool, target, stats=stats, clock=clock, log=log)
    inference = Inference(
        mailbox,
        current,
        selection,
        chosen,
        shrink=small_grey,
        still=StillFrames(selection.selectors, settings.all_thresholds)
        if settings.motion_gate == "auto"
        else None,
        stats=stats,
        clock=clock,
        log=log,
        clips=clips,
    )
    inference.events = events
    return Stages(
        readers=_readers(settings, mailbox, intake, clock=clock, log=log),
        mailbox=mailbox,
        inference=inference,
        inference_workers=workers,
        queue=queue,
        writer=Writer(
            queue,
            image_encoder(settings),
            maker,
            spool,
            synchronized=clock_synchronized,
            stats=stats,
            log=log,
        ),
        spool=spool,
        uploader=uploader,
        upload_workers=settings.upload_workers,
        upload_timeout=upload_timeout(settings),
        stats=stats,
        clips=clips,
    )


def _clips(
    settings: Settings,
    target: UploadTarget | None,
    queue: "Queue[Capture]",
    *,
    stats: Stats,
    clock: Clock,
    log: Log,
) -> "tuple[ClipStage | None, Queue[Capture]]":
    """Return the stage that gives captures their clips, and the queue that the inference fills."""
    span = clip_span(settings)
    if span is None:
        if settings.clip is not None:
            log.warning("clips disabled", target=target.name if target else "none")
        return None, queue
    chosen: Queue[Capture] = Queue(QUEUE_LENGTH)
    stage = ClipStage(
        span, clip_encoder(settings), chosen, queue, stats=stats, clock=clock, log=log
    )
    return stage, chosen


def _selection(
    settings: Settings,
    covers: tuple[Cover, ObjectCover],
    spool: Spool,
    events: PipelineEvents,
    *,
    task: Task,
    log: Log,
) -> Selection:
    """Build the selection with the rules that fit the model, and restore its stored state."""
    plan, disabled = plan_for(settings, task)
    if disabled:
        log.info("rules disabled", rules=",".join(disabled), task=task)
    names = [camera.name for camera in settings.cameras]
    listeners = [events.evaluated.tell] if has_doors(settings) else []
    if log.is_enabled_for(logging.DEBUG):
        listeners.append(partial(explain, log))

    def explained(evaluation: FrameEvaluation) -> None:
        for listener in listeners:
            listener(evaluation)

    selection = Selection(
        names,
        plan,
        new_id=new_id,
        cover=covers[0],
        shown=covers[1],
        run=token_hex(4),
        explain=explained if listeners else None,
    )
    selection.remember(spool.note, boot_id())
    return selection


def _uploader(
    settings: Settings,
    timing: Timing,
    spool: Spool,
    target: UploadTarget | None,
    *,
    stats: Stats,
    clock: Clock,
    log: Log,
) -> Uploader | None:
    if target is None:
        return None
    backoff = Backoff(full_jitter, first_bound=timing.first_upload_bound_s)
    return Uploader(
        spool, target, backoff, stats=stats, clock=clock, log=log, window=settings.upload_window
    )


def _readers(
    settings: Settings, mailbox: Mailbox, intake: PushIntake | None, *, clock: Clock, log: Log
) -> list[Reader]:
    doors = intake.doors if intake is not None else {}
    return [
        Reader(
            camera.name,
            frame_source(
                camera,
                settings,
                fps=settings.fps,
                clock=clock,
                log=log,
                door=doors.get(camera.name),
            ),
            mailbox,
            real_time=settings.fps > 0,
            longest_pause=max(1.0, 2.0 / settings.fps) if settings.fps else 0.0,
            stall=settings.camera_stall,
            clock=clock,
            log=log,
        )
        for camera in settings.cameras
    ]


def explain(log: Log, evaluation: FrameEvaluation) -> None:
    """Log at debug level why a frame was captured or not."""
    log.debug(
        "frame evaluated",
        camera=evaluation.frame.camera,
        at=round(evaluation.frame.at, 3),
        source_frame=evaluation.frame.source_frame,
        outcome=evaluation.outcome.value,
        value=round(evaluation.value, 3),
        cutoff=round(evaluation.cutoff, 3),
        quality=evaluation.quality.value,
        other=evaluation.other,
        **{name: round(score, 3) for name, score in evaluation.scores.items()},
    )
