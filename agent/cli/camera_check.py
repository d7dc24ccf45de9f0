"""What `check` looks at in a camera: it opens, its size and rate, and whether its image changes."""

from dataclasses import replace
from queue import Empty, SimpleQueue
from threading import Thread

import numpy as np

from agent.camera.address import CameraAddress, SourceKind
from agent.camera.device_names import name_advice
from agent.camera.device_options import parse_device, refused
from agent.camera.masked import MaskedSource
from agent.domain import Frame
from agent.errors import CameraLost, ConfigurationError
from agent.factories.cameras import frame_source
from agent.ports import Clock, FrameSource
from agent.settings.declarations import Settings

_SETTLE_S = 1.0
_MEASURE_S = 3.0
_OPEN_S = 15.0  # for the steps of opening a stream, beside AGENT_CAMERA_STALL
_WATCH_S = 0.5
_SLOWEST_FPS = 0.95  # slower rates are shown by the minute
_RATE_FRAMES = 2


def check_camera(address: CameraAddress, settings: Settings, clock: Clock) -> str:
    """Read for some seconds; return size, rate, and whether the image changes.

    Raises:
        CameraLost: It cannot be read, is frozen, or a call into its driver does not return.
        ConfigurationError: Its masks do not fit its frames.
    """
    if address.kind is SourceKind.PUSH:
        return (
            f"{address.shown}: the frames come from the application, with POST "
            f"/v1/frames/{address.name} to {settings.api or 'AGENT_API'}, and cannot be tried now"
        )
    source = frame_source(address, settings, fps=0, clock=clock)
    found: SimpleQueue[str | CameraLost | ConfigurationError | None] = SimpleQueue()

    def read() -> None:
        try:
            found.put(_fact(address, source, clock, settings.camera_stall))
        except (CameraLost, ConfigurationError) as error:
            found.put(error)
        finally:
            found.put(None)  # after a bug, whose traceback is on stderr

    # Nobody can end a call into a driver that does not return: the thread is left alone then.
    Thread(target=read, name=f"check {address.name}", daemon=True).start()
    started = clock.monotonic()
    while True:
        try:
            fact = found.get(timeout=_WATCH_S)
        except Empty:
            waited = clock.monotonic() - max(started, source.progress_at)
            if waited > settings.camera_stall + _OPEN_S:
                raise CameraLost(
                    f"cannot read {address.shown}: a call into its driver or connection has not "
                    f"returned for {waited:.0f} s. Restart the camera; if that does not help, "
                    "restart this computer"
                ) from None
            continue
        if isinstance(fact, str):
            return fact
        raise fact or CameraLost(f"cannot read {address.shown}: its check failed")


def _fact(address: CameraAddress, source: FrameSource, clock: Clock, stall: float) -> str:
    try:
        first = source.read()
        if first is None:
            raise CameraLost(f"cannot read {address.shown}: it has no frames")
        height, width = first.pixels.shape[:2]
        text = f"{address.shown}: {width}x{height}{_hidden(source)}"
        if not source.live:
            others = source.passed_over and f"; passed over, as no images: {source.passed_over}"
            return f"{text}, a recording{others}"
        last, rate = _measured(source, first)
        text += f" at {rate:.1f} fps" if rate >= _SLOWEST_FPS else f", {60 * rate:.1f} a minute"
        if last.pixels.shape[:2] != (height, width):
            height, width = last.pixels.shape[:2]
            return f"{text}; warning: its size changed to {width}x{height} meanwhile"
        advice = _device_advice(address, (width, height), rate)
        until = clock.monotonic() + stall
        while np.array_equal(first.pixels, last.pixels):
            if clock.monotonic() >= until:
                return (
                    f"{text}; warning: the image did not change for {last.at - first.at:.0f} s. "
                    "That is normal for a dark or empty scene; otherwise restart the camera"
                )
            last = _next(source, last)
        return f"{text}, fresh and changing{advice}"
    finally:
        source.close()


def _hidden(source: FrameSource) -> str:
    """Return how much of the image the masks hide; raise `ConfigurationError` if they misfit."""
    if not isinstance(source, MaskedSource):
        return ""
    if source.misfit:
        raise ConfigurationError(f"{source.misfit}. Until then its whole image is hidden")
    return f" ({source.share:.1%} hidden by AGENT_MASKS)"


def _device_advice(address: CameraAddress, size: tuple[int, int], fps: float) -> str:
    """Say what a device gives otherwise than asked, and which name of it lasts."""
    if address.kind is not SourceKind.DEVICE:
        return ""
    asked = parse_device(address.source)
    missed = refused(asked, replace(asked, size=size, fps=round(fps, 1)))
    advice = name_advice(asked.path)
    return (missed and f"; warning: it does not give {missed}") + (advice and f"; {advice}")


def _measured(source: FrameSource, first: Frame) -> tuple[Frame, float]:
    """Return the last frame read, and the frames per second.

    Frames that the camera or the network had stored arrive at once: only those that come later
    tell the rate.
    """
    frame, times = first, list[float]()
    while len(times) < _RATE_FRAMES or frame.at < first.at + _SETTLE_S + _MEASURE_S:
        frame = _next(source, frame)
        if frame.at >= first.at + _SETTLE_S:
            times.append(frame.at)
    return frame, (len(times) - 1) / max(times[-1] - times[0], 1e-6)


def _next(source: FrameSource, last: Frame) -> Frame:
    return source.read() or last
