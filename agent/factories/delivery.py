"""Where captures go by the settings, and what delivers them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.factories.datasets import shared_dataset_at
from agent.files import Disk
from agent.system import boot_id, full_jitter

if TYPE_CHECKING:
    from agent.logs import Log
    from agent.ports import Clock, UploadTarget
    from agent.runtime.drain import Drain
    from agent.settings.declarations import Settings
    from agent.spool.spool import Spool
    from agent.upload.http.options import HttpOptions


_LARGEST_CAPTURE = 48_000_000  # bytes; the watchdog gives one that is sent at a limited rate time


_FLUSH_REJECTED_MAX = 100  # captures that are tried once by hand before nothing more is


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


def no_place_for_clips(settings: Settings) -> str | None:
    """Return the kind of the settings' endpoint if it cannot take clips; None if it can."""
    from agent.upload.targets.factory import refuses_clips

    return refuses_clips(settings.upload_url)


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
