"""The composition root: settings in, wired agent out. The only module that knows everybody."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from queue import Queue

from agent import __version__
from agent.camera.open import make_source
from agent.camera.thumbnail import small_grey
from agent.detector.detector import OnnxDetector, load_detector
from agent.detector.fallback.fallback import ModelSettings, Standby
from agent.detector.fallback.known_good import LastGood
from agent.detector.fallback.subprocess_check import try_apart
from agent.detector.providers import Hardware, builds_engines
from agent.domain import Capture
from agent.files import Disk
from agent.logs import Log
from agent.ports import Clock, Notifier, UploadTarget
from agent.record.image import JpegEncoder
from agent.record.schema import RecordMaker
from agent.runtime.inference import Inference
from agent.runtime.load_heartbeat import Loading
from agent.runtime.mailbox import Mailbox
from agent.runtime.metrics import Metrics
from agent.runtime.model import ModelChange, first_model
from agent.runtime.reader import Reader
from agent.runtime.stats import Stats
from agent.runtime.supervisor import Stations, Supervisor
from agent.runtime.uploader import Uploader
from agent.runtime.writer import Writer
from agent.selection.budget.ledger import Ledger, Now
from agent.selection.budget.purchase import Budgeted
from agent.selection.device import Selection
from agent.selection.rules import supported
from agent.selection.selector import RULE_COOLDOWN_S, Verdict
from agent.settings.declarations import Settings
from agent.spool.reconciliation import Progress
from agent.spool.recovery import open_spool
from agent.spool.spool import Spool
from agent.spool.types import Limits
from agent.system import boot_id, clock_synchronized, full_jitter, new_id
from agent.upload.backoff import FIRST_BOUND, Pace
from agent.upload.http.options import Network
from agent.upload.targets.registry import insecure_token_warning, make_target

QUEUE_LENGTH = 8
MODEL_S, ENGINE_S, REBUILD_S = 120, 1800, 120
"""Seconds that loading a model may take, and building an engine for it."""

_LARGEST_CAPTURE = 32_000_000  # bytes; the watchdog gives one that is sent at a limited rate time


@dataclass(frozen=True, slots=True)
class Tempo:
    """What a demonstration shortens, so that ten seconds show what a day brings."""

    cooldown_s: float = RULE_COOLDOWN_S
    first_upload_bound_s: float = FIRST_BOUND


@dataclass(frozen=True, slots=True)
class Agent:
    """The wired daemon and the pieces that a caller may look at while it runs."""

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
    environ: Mapping[str, str] = os.environ,
    watchdog: float | None = None,
    tempo: Tempo | None = None,
) -> Iterator[Agent]:
    """Make a daemon that is ready to run, and put everything away afterwards.

    Raises `ConfigurationError` for what a person must mend, `TemporaryError` while another process
    owns the spool, `SpoolUnavailable` when its disk refuses.
    """
    tempo = tempo or Tempo()
    target = upload_target(settings, clock=clock, environ=environ)
    warning = insecure_token_warning(settings.upload_url or "", settings.token(environ))
    if warning:
        log.warning("upload insecure", error=warning)
    with spool_of(
        settings, clock=clock, log=log, progress=partial(_ask_patience, notifier)
    ) as spool:
        log.info(
            "agent started",
            version=__version__,
            device=settings.device_id,
            cameras=" ".join(f"{camera.name}={camera.shown}" for camera in settings.cameras),
            spool=str(settings.spool_dir),
            waiting=spool.waiting(),
            target=target.name if target else "none",
        )
        model = _model(settings, notifier=notifier, clock=clock, log=log)
        stations = _stations(settings, tempo, spool, model, target, clock=clock, log=log)
        supervisor = Supervisor(
            stations, clock=clock, notifier=notifier, log=log, watchdog=watchdog
        )
        yield Agent(supervisor, spool, stations.stats, stations.mailbox, stations.uploader)


def _ask_patience(notifier: Notifier, read: int, of: int) -> None:
    """Nobody may take a start for hung while a lost index is rebuilt from the files."""
    notifier.notify(
        f"EXTEND_TIMEOUT_USEC={REBUILD_S * 1_000_000}\n"
        f"STATUS=rebuilding the index of the spool: {read} of {of} files"
    )


def _model(settings: Settings, *, notifier: Notifier, clock: Clock, log: Log) -> ModelChange:
    """Load the model, or the last good one, and make what may change it while it runs."""
    store = standby_of(settings, log=log)
    limit = ENGINE_S if builds_engines(settings.providers) else MODEL_S
    loading = Loading(2 * limit, notifier=notifier, clock=clock)  # tried apart, then loaded

    def load() -> OnnxDetector:
        if settings.model is not None and store.has_other():
            try_apart(settings.model, limit)
        return detector_of(settings)

    current = loading.awaited(lambda: first_model(load, store, log=log))
    detector = current.detector
    log.info(
        "model loaded",
        model=detector.info.name,
        sha256=detector.info.sha256[:12],
        provider=detector.info.provider,
        labels=len(detector.info.labels),
        decided=detector.decided,
    )
    current.warn(log)
    return ModelChange(current, load, store, loading=loading, log=log)


def _stations(
    settings: Settings,
    tempo: Tempo,
    spool: Spool,
    change: ModelChange,
    target: UploadTarget | None,
    *,
    clock: Clock,
    log: Log,
) -> Stations:
    """Everything that runs, from the cameras to the far side."""
    stats = Stats()
    # Each frame of a recording that is read as fast as it is analysed counts.
    mailbox = Mailbox({c.name: settings.fps == 0 and not c.live for c in settings.cameras})
    queue: Queue[Capture] = Queue(QUEUE_LENGTH)
    boot = boot_id()
    info = change.current.info
    maker = RecordMaker(settings.device_id, boot, info, settings.all_thresholds, __version__)
    uploader = _uploader(settings, tempo, spool, target, stats=stats, clock=clock, log=log)
    metrics = None
    if settings.metrics_file is not None:
        metrics = Metrics(
            settings.metrics_file,
            mailbox,
            stats,
            spool,
            uploader,
            publish=Disk().publish,
            clock=clock,
            log=log,
        )
    return Stations(
        readers=_readers(settings, mailbox, boot=boot, clock=clock, log=log),
        mailbox=mailbox,
        inference=Inference(
            mailbox,
            change.current,
            _selection(settings, tempo, spool, task=info.task, clock=clock, log=log),
            queue,
            shrink=small_grey,
            stats=stats,
            clock=clock,
            log=log,
        ),
        inference_workers=inference_workers(settings),
        queue=queue,
        writer=Writer(
            queue,
            JpegEncoder(quality=settings.jpeg_quality, max_side=settings.max_side),
            maker,
            spool,
            synchronized=clock_synchronized,
            hints=settings.budget_per_day > 0,
            stats=stats,
            log=log,
        ),
        spool=spool,
        uploader=uploader,
        upload_workers=settings.upload_workers,
        upload_patience=upload_patience(settings),
        stats=stats,
        model_change=change,
        metrics=metrics,
    )


def _selection(
    settings: Settings, tempo: Tempo, spool: Spool, *, task: str, clock: Clock, log: Log
) -> Selection:
    """The rules that fit the model, with what they learnt before."""
    rules, left_out = supported(settings.rules, task)
    if left_out:
        log.info("rules left out", rules=",".join(left_out), task=task)
    plan = replace(settings.selection_plan, rules=rules, cooldown_s=tempo.cooldown_s)
    names = [camera.name for camera in settings.cameras]
    selection = Selection(names, plan, new_id=new_id, explain=partial(explain, log))
    selection.remember(spool.note, clock.monotonic())
    return selection


def _uploader(
    settings: Settings,
    tempo: Tempo,
    spool: Spool,
    target: UploadTarget | None,
    *,
    stats: Stats,
    clock: Clock,
    log: Log,
) -> Uploader | None:
    if target is None:
        return None
    pace = Pace(full_jitter, first_bound=tempo.first_upload_bound_s)
    return Uploader(
        spool, target, pace, stats=stats, clock=clock, log=log, window=settings.upload_window
    )


def spool_of(
    settings: Settings, *, clock: Clock, log: Log, progress: Progress = lambda _read, _of: None
) -> contextlib.AbstractContextManager[Spool]:
    """The spool that the settings name; `progress` and what it raises are those of `open_spool`."""
    limits = Limits(int(settings.spool_max), int(settings.spool_min_free))
    plan = settings.selection_plan
    order = None
    if plan.per_day:
        ledger = Ledger(plan.per_day, plan.reserved_share(len(settings.cameras)))
        boot = boot_id()
        order = Budgeted(ledger, lambda: Now(clock.monotonic(), clock.wall(), boot))
    return open_spool(
        settings.spool_dir, limits, clock=clock, log=log, order=order, progress=progress
    )


def upload_target(
    settings: Settings, *, clock: Clock, environ: Mapping[str, str]
) -> UploadTarget | None:
    """The target that the settings name, or None; raises `ConfigurationError`."""
    if settings.upload_url is None:
        return None
    return make_target(
        settings.upload_url,
        token=settings.token(environ),
        network=network_of(settings),
        clock=clock,
        disk=Disk(),
        boot=boot_id(),
    )


def network_of(settings: Settings) -> Network:
    """What the settings say of connections to the far side."""
    proxy = settings.upload_proxy
    return Network(
        timeout=settings.upload_timeout,
        workers=settings.upload_workers,
        max_rate=int(settings.upload_max_rate),
        ca=settings.upload_ca,
        client_cert=settings.upload_client_cert,
        proxy=proxy.get_secret_value() if proxy else None,
    )


def upload_patience(settings: Settings) -> float:
    """Seconds that one delivery may take when all connections send a large picture at once."""
    if not settings.upload_max_rate:
        return settings.upload_timeout
    at_once = settings.upload_workers * _LARGEST_CAPTURE
    return settings.upload_timeout + at_once / settings.upload_max_rate


def detector_of(settings: Settings) -> OnnxDetector:
    """The model that the settings name, loaded; raises `ConfigurationError`."""
    return load_detector(
        settings.model,
        model_format=settings.model_format,
        labels=settings.model_labels,
        model_input=settings.model_input,
        sha256=settings.model_sha256,
        hardware=_hardware(settings),
        floor=settings.floor,
    )


def standby_of(settings: Settings, *, log: Log) -> Standby:
    """The last model that proved itself on this device."""
    # Daemons of several spools may share a state directory, but not a model.
    folder = settings.state_dir / "models" / settings.spool_dir.name
    return Standby(
        LastGood(folder, Disk(), min_free=int(settings.spool_min_free)),
        ModelSettings(
            settings.model,
            settings.model_sha256,
            {
                "AGENT_MODEL_FORMAT": settings.model_format,
                "AGENT_MODEL_LABELS": settings.model_labels,
                "AGENT_MODEL_INPUT": str(settings.model_input or ""),
            },
        ),
        partial(
            load_detector,
            sha256=settings.model_sha256,
            hardware=_hardware(settings),
            floor=settings.floor,
        ),
        log=log,
    )


def _hardware(settings: Settings) -> Hardware:
    return Hardware(settings.providers, settings.inference_threads, settings.state_dir / "engines")


def inference_workers(settings: Settings) -> int:
    """How many frames are analysed at once; each run has `AGENT_INFERENCE_THREADS` threads."""
    if settings.inference_workers != "auto":
        return settings.inference_workers
    return max(1, len(os.sched_getaffinity(0)) // settings.inference_threads)


def _readers(
    settings: Settings, mailbox: Mailbox, *, boot: str, clock: Clock, log: Log
) -> list[Reader]:
    return [
        Reader(
            camera.name,
            make_source(
                camera, fps=settings.fps, stall=settings.camera_stall, clock=clock, boot_id=boot
            ),
            mailbox,
            real_time=settings.fps > 0,
            clock=clock,
            log=log,
        )
        for camera in settings.cameras
    ]


def explain(log: Log, verdict: Verdict) -> None:
    """Why a frame was captured, or was not: for those who ask at debug level."""
    log.debug(
        "frame judged",
        camera=verdict.frame.camera,
        at=round(verdict.frame.at, 3),
        source_frame=verdict.frame.source_frame,
        outcome=verdict.outcome,
        value=round(verdict.value, 3),
        line=round(verdict.line, 3),
        condition=verdict.condition.value,
        other=verdict.other,
        **{name: round(score, 3) for name, score in verdict.scores.items()},
    )
