"""What `check` looks at: each function states a fact, or raises with the cause and the fix."""

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent.cli.heartbeat_check import heartbeat_fact
from agent.cli.settings_warnings import settings_warnings, shared_id_warning
from agent.detector.threshold_labels import unknown_labels
from agent.domain import Pixels, Prediction
from agent.errors import (
    AgentError,
    ConfigurationError,
    ModelUnusable,
    TemporaryError,
)
from agent.factories.affirmation import affirmation_warning
from agent.factories.delivery import no_place_for_clips, upload_target
from agent.factories.model import (
    application_task,
    detector_of,
    model_fallback,
    model_seconds,
    require_task,
)
from agent.factories.spool import spool_of
from agent.files import Disk
from agent.install.plan import API_TOKEN_FILE, TOKEN_FILE
from agent.logs import make_log
from agent.ports import Clock, KnowsLabels, UploadTarget
from agent.printable import printable
from agent.record.clips import FRAME_BYTES, RING_BYTES
from agent.runtime.abandonable import within
from agent.runtime.model import sound
from agent.selection.budget.ledger import DAY_S
from agent.settings.declarations import Settings
from agent.settings.load import api_token_file, foreign_variables, token_file
from agent.settings.units import show_size, show_span
from agent.spool.layout import existing_parent, refuse_torn
from agent.spool.lock import Owner
from agent.spool.status import read_status
from agent.system import clock_synchronized
from agent.upload.connection_errors import PLAUSIBLE_SINCE
from agent.upload.guard import target_errors_only
from agent.upload.targets.address import insecure_token_warning

if TYPE_CHECKING:
    from agent.detector.detector import OnnxDetector

_RUNS = 5
_MANY = 10  # detections of different confidence
_FAR = 3  # times the floor
_NEARLY_FULL = 0.05  # share of the disk that is free


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check: a line of the output."""

    name: str
    ok: bool
    fact: str  # with the fix, where it is not ok


def check_secrets(settings: Settings, environ: Mapping[str, str]) -> str:
    """Count the settings; raises `ConfigurationError` where others can read a secret's file."""
    files = [Path(TOKEN_FILE), Path(API_TOKEN_FILE)]
    others = token_file(), api_token_file(), settings.upload_client_cert, settings.api_tls_cert
    files += [path for path in others if path is not None]
    exposed = exposed_files(files)
    if exposed:
        raise ConfigurationError(
            "other users of this computer can read the secret in "
            f"{', '.join(map(str, exposed))}: chmod o= {' '.join(map(str, exposed))}"
        )
    given = sum(name.startswith("AGENT_") for name in environ) - len(foreign_variables())
    doubtful = shared_id_warning(settings), affirmation_warning(settings)
    warnings = [*settings_warnings(), *(each for each in doubtful if each is not None)]
    understood = f"all understood; AGENT_ variables set: {given}"
    per_day = settings.budget_per_day
    if 0 < per_day < 1:
        understood += f"; {per_day:g} captures a day: one in {show_span(DAY_S / per_day)}"
    return "; warning: ".join([understood, *warnings])


def exposed_files(files: Iterable[Path]) -> list[Path]:
    """Those that every user of the computer may read."""
    found = []
    for path in files:
        with contextlib.suppress(OSError):  # who uses the file says what is wrong with it
            if path.stat().st_mode & stat.S_IROTH:
                found.append(path)
    return found


def check_model(settings: Settings) -> str:
    """Load the model and time it; raises `ConfigurationError`, also if it takes too long."""
    task = application_task(settings)
    if task is not None:
        return f"not loaded: the application sends predictions of the task {task} with each frame"
    limit = model_seconds(settings)
    fact = within(limit, partial(_check_model, settings), name="model")
    if fact is None:
        raise ConfigurationError(
            f"cannot use the model {printable(settings.model or 'bundled')}: it could not be "
            f"loaded and run within {limit:.0f} s; set AGENT_MODEL to another export, or "
            "AGENT_PROVIDERS to another provider"
        )
    return fact


def _check_model(settings: Settings) -> str:
    try:
        detector = sound(detector_of(settings))
    except ModelUnusable as error:
        other = model_fallback(settings, log=make_log(level="critical")).fallback(error)
        raise ConfigurationError(
            f"{error}. Until that is fixed `run` uses the known-good model, {other.info.name} "
            f"(sha256 {other.info.sha256[:12]})"
        ) from error
    require_task(settings, detector.info.task)
    frame = np.zeros((720, 1280, 3), np.uint8)
    times = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        detector.detect(frame)
        times.append(time.perf_counter() - began)
    shares = ", ".join(f"{share:.0%} on {n}" for n, share in detector.provider_shares.items())
    nodes = f" (nodes: {shares})" if shares else ""
    tried = [detector.detect(image) for image in _test_images()]
    found = (
        detector.batch_waste,
        _discarded(detector, tried, settings.floor),
        _unused_thresholds(settings, detector),
        _failure(tried),
    )
    warnings = "".join(f"; warning: {each}" for each in found if each)
    return (
        f"{detector.info.name}: {detector.decided}; {detector.info.task}, "
        f"{len(detector.info.labels)} labels, {detector.info.provider}{nodes}, "
        f"{sorted(times)[_RUNS // 2] * 1000:.0f} ms a frame; {detector.object_features}{warnings}"
    )


def _unused_thresholds(settings: Settings, detector: "OnnxDetector") -> str | None:
    """Say which labels of AGENT_THRESHOLDS the model does not have; None if it has all."""
    unknown = unknown_labels(settings.thresholds, detector.info.labels)
    return f"AGENT_THRESHOLDS: the model has no label {unknown}" if unknown else None


def _failure(tried: Sequence[Prediction]) -> str | None:
    """Say that the model fails on a test image; None if it works on all of them."""
    found = next((each.failure for each in tried if each.failure), None)
    return found and (
        f"its run fails on some images, which are captured without detections: {found}"
    )


def _discarded(detector: "OnnxDetector", tried: Sequence[Prediction], floor: float) -> str | None:
    """Return which detections the model's graph discards; None if it seems to discard none.

    Where the graph does not tell, many detections in test images that are all far above the floor
    do.
    """
    seen = {found.confidence for each in tried for found in each.detections}
    read = detector.discarded(seen)
    if read or len(seen) < _MANY or min(seen) < _FAR * floor:
        return read
    return (
        f"its {len(seen)} detections in test images all have a confidence of {min(seen):.2g} or "
        f"more: if its graph discards the others, low_confidence rarely fires; export it with a "
        f"confidence of {floor:g}"
    )


def _test_images() -> Iterator[Pixels]:
    """Yield black, and noise from fine to coarse, in which a detector sees something at times."""
    yield np.zeros((480, 640, 3), np.uint8)
    random = np.random.default_rng(0)
    for cell in (1, 8, 32, 120):
        noise = random.integers(0, 256, (480 // cell, 640 // cell, 3), np.uint8)
        yield noise.repeat(cell, axis=0).repeat(cell, axis=1)


def _named(owner: Owner | None) -> str:
    if owner is None:  # it ended just now
        return "no daemon runs"
    who = "the daemon" if owner.is_daemon else "another command"
    return f"{who} (process {owner.process}) owns it"


def check_spool(settings: Settings, clock: Clock) -> str:
    """Open the spool unless a daemon has it; raises `ConfigurationError` or `SpoolUnavailable`."""
    directory = settings.spool_dir
    if not directory.exists():
        # Making it here could give it to root instead of the daemon's user.
        place = existing_parent(directory.absolute())
        if not os.access(place, os.W_OK | os.X_OK):
            raise ConfigurationError(
                f"cannot make AGENT_SPOOL_DIR {directory}: {place} is not writable for this user. "
                "Run as the daemon's user, or choose another folder."
            )
        refuse_torn(Disk(), place)
        return f"{directory}: will be made, {_enough(place, settings)}"
    try:
        quiet = make_log(level="critical")
        with spool_of(settings, clock=clock, log=quiet, within_budget=False) as spool:
            waiting, owner = spool.waiting(), "no daemon runs"
    except TemporaryError:
        status = read_status(directory, now=clock.wall())
        waiting, owner = status.waiting, _named(status.owner)
    free = _enough(directory, settings)
    return f"{directory}: writable, {waiting} waiting, {owner}, {free}"


def check_clips(settings: Settings) -> str:
    """Say what the clips of captures hold, what they cost, and whether the endpoint takes them."""
    span = settings.clip
    if span is None:
        return "AGENT_CLIP is off: captures have no clips"
    kind = no_place_for_clips(settings)
    if kind is not None:
        return (
            f"warning: {kind} has no place for clips, so none are made; set AGENT_CLIP=off, or "
            "deliver to an HTTP endpoint, a folder or an S3 bucket"
        )
    frames = round((span.before + span.after) * settings.fps)
    size = f"about {show_size(frames * FRAME_BYTES)} each" if frames else "size unknown"
    return (
        f"{span.before:g}s before and {span.after:g}s after each capture, {size}; at most "
        f"{show_size(RING_BYTES)} of memory for {len(settings.cameras)} cameras"
    )


def check_endpoint(settings: Settings, clock: Clock) -> str:
    """Ask the endpoint, without sending a capture; raises as `UploadTarget.probe` does."""
    target = upload_target(settings, clock=clock)
    wall = clock.wall()
    now = datetime.fromtimestamp(wall, UTC).isoformat(" ", timespec="minutes")
    warnings = []
    if wall < PLAUSIBLE_SINCE:
        warnings.append(f"the clock was never set, it says {now}: switch on NTP, or set it")
    if target is None:
        return "; warning: ".join(["AGENT_UPLOAD_URL is not set: captures stay on disk", *warnings])
    url = settings.upload_url or ""
    try:
        with target_errors_only(target.name):
            result = target.probe()
            differing = _differing_labels(target, settings)
    except AgentError as error:
        if "https://" in url and not clock_synchronized(wall):
            raise ConfigurationError(
                f"{error}. The clock of this device is not synchronized, it says {now}: a wrong "
                "one makes good certificates fail; switch on NTP, or set it"
            ) from error
        raise
    window = settings.upload_window
    if window is not None and window.opens_in(wall) > 0:
        result += f"; the upload window {window} is closed and opens {window.opening(wall)}"
    result += f"; {heartbeat_fact(target, settings, clock)}"
    insecure = insecure_token_warning(url, settings.token)
    warnings += [text for text in (insecure, differing) if text]
    return "; warning: ".join([f"{target.name}: {result}", *warnings])


def _differing_labels(target: UploadTarget, settings: Settings) -> str | None:
    """Return which of the model's labels the endpoint does not have, where it has a list."""
    if not isinstance(target, KnowsLabels) or application_task(settings) is not None:
        return None
    try:
        model = detector_of(settings).info
    except ConfigurationError:  # the model's own line says so
        return None
    return target.compare_labels(model.labels, model.task)


def _enough(directory: Path, settings: Settings) -> str:
    """The free space where captures are stored; raises `ConfigurationError` for too little."""
    free = Disk().free_bytes(directory)
    if free < settings.spool_min_free:
        raise ConfigurationError(
            f"{directory}: {show_size(free)} free, less than AGENT_SPOOL_MIN_FREE="
            f"{show_size(int(settings.spool_min_free))}: only captures worth more than stored ones "
            "would be kept. Free some space, or lower AGENT_SPOOL_MIN_FREE."
        )
    disk = os.statvfs(directory)
    if disk.f_files and not disk.f_favail:
        raise ConfigurationError(
            f"{directory}: the file system has no room for another file (inodes), though "
            f"{show_size(free)} are free. Delete files that nobody needs."
        )
    for left, whole, what in (
        (free, disk.f_blocks * disk.f_frsize, "the disk is"),
        (disk.f_favail, disk.f_files, "the list of files (inodes) is"),
    ):
        if left < whole * _NEARLY_FULL:
            return (
                f"{show_size(free)} free; warning: {what} nearly full, {left / whole:.1%} are "
                "left: delete what nobody needs"
            )
    return f"{show_size(free)} free"
