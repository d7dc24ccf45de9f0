"""What turns frames into images and records by the settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent import __version__
from agent.factories.delivery import no_place_for_clips
from agent.system import boot_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.domain import ClipSpan, Frame, ModelInfo
    from agent.record.image import JpegEncoder
    from agent.record.schema import RecordMaker
    from agent.settings.declarations import Settings


_VIEW_QUALITY, VIEW_MAX_SIDE = 85, 1920

_TWICE_QUALITY = 95
"""Of what is encoded a second time, smaller or with hidden parts: the first time costs little."""


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


def recent_encoder(settings: Settings) -> Callable[[Frame], bytes]:
    """What makes the JPEGs of the frames of the last seconds.

    Where nothing will be hidden or shrunk they are what a capture stores, byte for byte.
    """
    from agent.record.image import faithful_jpeg

    is_final = not settings.redact and not settings.max_side
    quality = settings.jpeg_quality if is_final else max(_TWICE_QUALITY, settings.jpeg_quality)
    return partial(faithful_jpeg, quality=quality)


def viewing_encoder(settings: Settings, *, max_side: int = VIEW_MAX_SIDE) -> JpegEncoder:
    """What makes images of frames that a person looks at, not stored ones."""
    from agent.record.image import JpegEncoder

    return JpegEncoder(quality=_VIEW_QUALITY, max_side=max_side, redact=settings.redact)


def record_maker(settings: Settings, model: ModelInfo, *, boot: str | None = None) -> RecordMaker:
    """What makes the records of this device; `boot` names the clock, by default this boot."""
    from agent.record.schema import RecordMaker

    boot = boot_id() if boot is None else boot
    return RecordMaker(settings.device_id, boot, model, settings.all_thresholds, __version__)
