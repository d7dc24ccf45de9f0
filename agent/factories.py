"""From the settings to one part of the agent; each part is built here and nowhere else.

The daemon (`app.py`) and every command use these functions, so that a model, a spool or a target
is the same for all of them. The libraries of a part (onnxruntime, OpenCV, requests) are imported
when it is built: `status` builds none of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent import __version__
from agent.errors import ConfigurationError, SpoolUnavailable
from agent.files import Disk
from agent.selection.budget.ledger import ClockReading, Ledger
from agent.selection.plan import SelectionPlan
from agent.selection.rules import supported
from agent.system import boot_id, full_jitter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from agent.camera.address import CameraAddress
    from agent.camera.masks import CameraMask
    from agent.dataset.clip_files import ClipForm
    from agent.dataset.folder import Dataset
    from agent.detector.detector import OnnxDetector
    from agent.detector.fallback.fallback import ModelFallback
    from agent.detector.providers import Hardware
    from agent.domain import ClipSpan, ModelInfo, Task
    from agent.logs import Log
    from agent.ports import Clock, FrameSource, UploadTarget
    from agent.receiver.receiver import Receiver
    from agent.record.image import JpegEncoder
    from agent.record.schema import RecordMaker
    from agent.runtime.drain import Drain
    from agent.selection.budget.purchase import BudgetedOrder
    from agent.selection.cover import Cover
    from agent.settings.declarations import Settings
    from agent.spool.reconciliation import Progress
    from agent.spool.spool import Spool
    from agent.spool.types import SpoolLimits
    from agent.upload.http.options import HttpOptions


_VIEW_QUALITY, _VIEW_MAX_SIDE = 85, 1920
_MODEL_S, _ENGINE_S = 120.0, 1800.0
_LARGEST_CAPTURE = 48_000_000  # bytes; the watchdog gives one that is sent at a limited rate time


def selection_plan(settings: Settings) -> SelectionPlan:
    """What the settings say of choosing frames."""
    is_fixed = isinstance(settings.random_interval, float)
    return SelectionPlan(
        rules=settings.rules,
        thresholds=settings.all_thresholds,
        seed=settings.device_id,
        random_interval=settings.random_interval if is_fixed else None,  # type: ignore[arg-type]
        is_random=settings.random_interval != "off",
        every_nth=settings.every_nth_frame,
        per_day=settings.budget_per_day,
        random_share=settings.random_share,
        min_value=settings.min_value,
        rule_options=settings.rule_options,
        redact=settings.redact,
    )


def plan_for(settings: Settings, task: Task) -> tuple[SelectionPlan, tuple[str, ...]]:
    """What the settings say for a model of this task, and the rules that cannot judge it."""
    plan = selection_plan(settings)
    rules, disabled = supported(plan.rules, task)
    return replace(plan, rules=rules), disabled


def ledger_of(settings: Settings, text: str | None = None) -> Ledger | None:
    """The ledger of credits, continued from its durable `text`; None where there is no budget.

    A text that is damaged counts as none: no credit has accrued.
    """
    plan = selection_plan(settings)
    if not plan.per_day:
        return None
    share = plan.reserved_share(len(settings.cameras))
    if text is not None:
        with contextlib.suppress(ValueError):
            return Ledger.from_text(text, per_day=plan.per_day, random_share=share)
    return Ledger(plan.per_day, share)


def spool_limits(settings: Settings) -> SpoolLimits:
    """What the spool may occupy."""
    from agent.spool.types import SpoolLimits

    return SpoolLimits(int(settings.spool_max), int(settings.spool_min_free))


def spool_of(
    settings: Settings,
    *,
    clock: Clock,
    log: Log,
    progress: Progress = lambda _read, _of: None,
    within_budget: bool = True,
    cover: Cover | None = None,
    exchange: Path | None = None,
    evicts: bool = True,
) -> AbstractContextManager[Spool]:
    """The spool that the settings name; `progress` and what it raises are those of `open_spool`.

    `within_budget`: captures leave it only as the labelling budget allows. Commands that copy or
    repair open it without. `cover` is filled with what is and was purchased. `exchange` is given
    by the daemon alone: the folder where it publishes its state.
    """
    from agent.spool.recovery import open_spool

    return open_spool(
        settings.spool_dir,
        spool_limits(settings),
        clock=clock,
        log=log,
        order=_send_order(settings, clock=clock, log=log, cover=cover) if within_budget else None,
        progress=progress,
        exchange=exchange,
        evicts=evicts,
    )


@contextlib.contextmanager
def readable_spool_of(
    settings: Settings, *, clock: Clock, log: Log, within_budget: bool = True, evicts: bool = True
) -> Iterator[tuple[Spool, str | None]]:
    """`spool_of`; where the disk refuses writes, its captures, all changes in memory only.

    Yields the spool, and None or why nothing can be changed on disk. Raises as `open_spool` does.
    """
    from agent.spool.read_only import read_spool

    with contextlib.ExitStack() as opened:
        try:
            writable = spool_of(
                settings, clock=clock, log=log, within_budget=within_budget, evicts=evicts
            )
            spool, refusal = opened.enter_context(writable), None
        except SpoolUnavailable as error:
            read_only = read_spool(
                settings.spool_dir,
                spool_limits(settings),
                clock=clock,
                log=log,
                order=_send_order(settings, clock=clock, log=log) if within_budget else None,
            )
            spool, refusal = opened.enter_context(read_only), str(error)
        yield spool, refusal


def _send_order(
    settings: Settings, *, clock: Clock, log: Log, cover: Cover | None = None
) -> BudgetedOrder | None:
    """What is sent within the budget; None where there is no budget."""
    from agent.selection.budget.purchase import BudgetedOrder
    from agent.selection.cover import Cover

    ledger = ledger_of(settings)
    if ledger is None:
        return None
    boot = boot_id()
    return BudgetedOrder(
        ledger,
        lambda: ClockReading(clock.monotonic(), clock.wall(), boot),
        cover or Cover(),
        settings.min_value,
        lambda note: log.warning("note unreadable", note=note),
    )


def upload_target(settings: Settings, *, clock: Clock) -> UploadTarget | None:
    """The target that the settings name, or None; raises `ConfigurationError`."""
    from agent.upload.targets.context import TargetContext
    from agent.upload.targets.factory import make_target

    if settings.upload_url is None:
        return None
    return make_target(
        settings.upload_url,
        TargetContext(
            token=settings.token,
            network=network_of(settings),
            clock=clock,
            disk=Disk(),
            capture_folder=shared_dataset_at,
            own_folders=(Path("/"), settings.spool_dir.absolute()),
            min_free=int(settings.spool_min_free),
            boot=boot_id(),
            needs_clips=settings.clip is not None,
        ),
    )


def network_of(settings: Settings) -> HttpOptions:
    """Return the settings of HTTP connections to the endpoint."""
    from agent.upload.http.options import HttpOptions

    proxy = settings.upload_proxy
    return HttpOptions(
        timeout=settings.upload_timeout,
        workers=settings.upload_workers,
        max_rate=int(settings.upload_max_rate),
        ca=settings.upload_ca,
        client_cert=settings.upload_client_cert,
        proxy=proxy.get_secret_value() if proxy else None,
    )


def upload_timeout(settings: Settings) -> float:
    """Return how many seconds one delivery may take while all connections send a large image."""
    if not settings.upload_max_rate:
        return settings.upload_timeout
    at_once = settings.upload_workers * _LARGEST_CAPTURE
    return settings.upload_timeout + at_once / settings.upload_max_rate


def detector_of(settings: Settings) -> OnnxDetector:
    """The model that the settings name, loaded; raises `ConfigurationError`.

    It has each label of AGENT_REDACT.
    """
    from agent.detector.detector import load_detector

    detector = load_detector(
        settings.model,
        model_format=settings.model_format,
        labels=settings.model_labels,
        model_input=settings.model_input,
        sha256=settings.model_sha256,
        hardware=_hardware(settings),
        floor=settings.floor,
    )
    require_labels(detector.info, settings.redact)
    return detector


def require_labels(model: ModelInfo, redact: Collection[str]) -> None:
    """Raise `ConfigurationError` unless a model finds all labels that are to be pixelated."""
    from agent.detector.threshold_labels import unknown_labels
    from agent.domain import OBJECT_TASKS

    if not redact:
        return
    if model.task not in OBJECT_TASKS:
        raise ConfigurationError(
            f"AGENT_REDACT: the model {model.name} is a classifier, which says nowhere where "
            "something is; unset AGENT_REDACT and hide regions with AGENT_MASKS, or use a detector"
        )
    unknown = unknown_labels(redact, model.labels)
    if unknown:
        raise ConfigurationError(
            f"AGENT_REDACT: the model {model.name} has no label {unknown}, so it would stay "
            "visible; use the labels of the model, or another model"
        )


def model_seconds(settings: Settings) -> float:
    """Return how many seconds loading the model may take, and building an engine for it."""
    from agent.detector.providers import builds_engines

    return _ENGINE_S if builds_engines(settings.providers) else _MODEL_S


def model_variables(settings: Settings) -> dict[str, str]:
    """Return the variables of the model whose paths may be relative, with absolute ones."""
    labels = settings.model_labels
    with contextlib.suppress(OSError, ValueError):  # a long list is not a valid file name
        labels = str(Path(labels).absolute()) if Path(labels).is_file() else labels
    found = {
        "AGENT_MODEL_LABELS": labels,
        "AGENT_SPOOL_DIR": str(settings.spool_dir),
        "AGENT_STATE_DIR": str(settings.state_dir),
    }
    if settings.model is not None:
        found["AGENT_MODEL"] = str(settings.model.absolute())
    return found


def model_fallback(settings: Settings, *, log: Log) -> ModelFallback:
    """Return the known-good model of the settings' spool, which runs when a new file fails."""
    from agent.detector.detector import load_detector
    from agent.detector.fallback.fallback import ModelFallback, ModelSettings
    from agent.detector.fallback.known_good import KnownGoodStore, known_good_folder

    folder = known_good_folder(settings.state_dir, settings.spool_dir)

    def load(path: Path) -> OnnxDetector:
        copy = load_detector(
            path,
            sha256=settings.model_sha256,
            hardware=_hardware(settings),
            floor=settings.floor,
        )
        require_labels(copy.info, settings.redact)
        return copy

    return ModelFallback(
        KnownGoodStore(
            folder, Disk(), spool=settings.spool_dir, min_free=int(settings.spool_min_free)
        ),
        ModelSettings(
            settings.model,
            settings.model_sha256,
            {
                "AGENT_MODEL_FORMAT": settings.model_format,
                "AGENT_MODEL_LABELS": settings.model_labels,
                "AGENT_MODEL_INPUT": str(settings.model_input or ""),
            },
        ),
        load,
        log=log,
    )


def _hardware(settings: Settings) -> Hardware:
    from agent.detector.providers import Hardware

    return Hardware(settings.providers, settings.inference_threads, engine_folder(settings))


def engine_folder(settings: Settings) -> Path:
    """Where providers cache the engines that they build."""
    return settings.state_dir / "engines"


def inference_workers(settings: Settings) -> int:
    """How many frames are analysed at once; each run has `AGENT_INFERENCE_THREADS` threads."""
    if settings.inference_workers != "auto":
        return settings.inference_workers
    return max(1, len(os.sched_getaffinity(0)) // settings.inference_threads)


def frame_source(
    camera: CameraAddress, settings: Settings, *, fps: float, clock: Clock, log: Log | None = None
) -> FrameSource:
    """The source of one camera, thinned to `fps`, with its masks painted over.

    `log` gets masks that do not fit the frames, and what a driver or program says.
    """
    from agent.camera.masks import masks_of
    from agent.camera.open import make_source

    source = make_source(
        camera, fps=fps, stall=settings.camera_stall, clock=clock, boot_id=boot_id(), log=log
    )
    masks = masks_of(settings.masks, camera.name)
    if not masks:
        return source
    from agent.camera.masked import MaskedSource

    if log is None:
        return MaskedSource(source, masks)
    return MaskedSource(source, masks, changed=partial(_log_misfit, log, camera.name))


def _log_misfit(log: Log, camera: str, misfit: str) -> None:
    if misfit:
        log.warning("mask misfit", camera=camera, error=misfit)
    else:
        log.warning("mask fits", camera=camera)


def masks_of_recording(recording: CameraAddress, settings: Settings) -> tuple[CameraMask, ...]:
    """Return the masks of the camera that a recording is of.

    It is the camera whose source in AGENT_CAMERAS is this recording, or whose name the recording
    has, or the only one. Raises `ConfigurationError` where it may be of a camera with masks, and
    nobody knows of which.
    """
    from agent.camera.masks import masks_of

    by_path = {
        Path(camera.source).absolute(): camera.name
        for camera in settings.cameras
        if not camera.live
    }
    names = {camera.name for camera in settings.cameras} | {m.camera for m in settings.masks} - {""}
    name = by_path.get(Path(recording.source).absolute())
    if name is None and recording.name in names:
        name = recording.name
    if name is None and len(names) <= 1:
        return settings.masks
    if name is not None or not settings.masks:
        return masks_of(settings.masks, name or "")
    masked = list(dict.fromkeys(mask.camera for mask in settings.masks))
    raise ConfigurationError(
        f"cannot use {recording.shown}: AGENT_MASKS hides parts of {' and '.join(masked)}, and "
        "nothing says which camera this recording is of. Name it in AGENT_CAMERAS, such as "
        f"{masked[0]}={recording.shown}, or unset AGENT_MASKS"
    )


def image_encoder(settings: Settings) -> JpegEncoder:
    """What turns frames into stored images."""
    from agent.record.image import JpegEncoder

    return JpegEncoder(
        quality=settings.jpeg_quality, max_side=settings.max_side, redact=settings.redact
    )


def clip_encoder(settings: Settings) -> JpegEncoder:
    """What makes the small images of clips."""
    from agent.record.clips import QUALITY, SIDE
    from agent.record.image import JpegEncoder

    return JpegEncoder(
        quality=QUALITY, max_side=min(SIDE, settings.max_side or SIDE), redact=settings.redact
    )


def clip_span(settings: Settings) -> ClipSpan | None:
    """Return what the clips of captures hold; None where there are none.

    None are made for an endpoint that has no place for them.
    """
    return None if no_place_for_clips(settings) else settings.clip


def no_place_for_clips(settings: Settings) -> str | None:
    """Return the kind of the settings' endpoint if it cannot take clips; None if it can."""
    from agent.upload.targets.factory import refuses_clips

    return refuses_clips(settings.upload_url)


def viewing_encoder(settings: Settings) -> JpegEncoder:
    """What makes images of frames that a person looks at, not stored ones."""
    from agent.record.image import JpegEncoder

    return JpegEncoder(quality=_VIEW_QUALITY, max_side=_VIEW_MAX_SIDE, redact=settings.redact)


def record_maker(settings: Settings, model: ModelInfo, *, boot: str | None = None) -> RecordMaker:
    """What makes the records of this device; `boot` names the clock, by default this boot."""
    from agent.record.schema import RecordMaker

    boot = boot_id() if boot is None else boot
    return RecordMaker(settings.device_id, boot, model, settings.all_thresholds, __version__)


def dataset_at(directory: Path, *, clips: ClipForm | None = None) -> Dataset:
    """The dataset folder at a path, private to this user; clips become frames, or as `clips`."""
    from agent.dataset.clip_files import ClipForm
    from agent.dataset.folder import Dataset

    directory = directory.absolute()
    return Dataset(directory, Disk(inside=directory), clips=clips or ClipForm.FRAMES)


def shared_dataset_at(directory: Path, *, clips: ClipForm | None = None) -> Dataset:
    """The dataset folder at a path, for those who may read the folder that it lies in.

    It leaves the device, on a stick or a share, and the person who opens it there is not the user
    of the service.
    """
    from agent.dataset.clip_files import ClipForm
    from agent.dataset.folder import Dataset

    directory = directory.absolute()
    disk = Disk(inside=directory, is_shared=True)
    return Dataset(directory, disk, clips=clips or ClipForm.FRAMES)


def receiver_of(
    dataset: Dataset,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    write: Callable[[str], object] | None = None,
) -> Receiver:
    """An endpoint on `host` and `port` that stores into `dataset`; raises `OSError`.

    `write` gets a line for each capture and refusal; it must not block.
    """
    from agent.receiver.receiver import Receiver
    from agent.receiver.report import ArrivalReport

    report = ArrivalReport(write) if write is not None else None
    return Receiver(
        dataset,
        host=host,
        port=port,
        token=token,
        on_capture=report.arrived if report else None,
        on_refusal=report.refused if report else None,
    )


_FLUSH_REJECTED_MAX = 100  # captures that are tried once by hand before nothing more is


def drain_of(
    settings: Settings, spool: Spool, target: UploadTarget, *, clock: Clock, log: Log
) -> Drain:
    """What delivers a spool's waiting captures without a daemon, beginning at once."""
    from agent.runtime.drain import Drain
    from agent.upload.backoff import REJECTED_RETRY_BY_HAND_S, Backoff

    return Drain(
        spool,
        target,
        Backoff(
            full_jitter,
            first_bound=0.0,
            rejected_max=max(1, min(spool.waiting(), _FLUSH_REJECTED_MAX)),
            rejected_retry=REJECTED_RETRY_BY_HAND_S,
        ),
        workers=settings.upload_workers,
        clock=clock,
        log=log,
        window=settings.upload_window,
    )
