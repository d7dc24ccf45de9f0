"""What the stations need of the world, each written by its user, each listing its errors."""

from collections.abc import Callable
from typing import Protocol

from agent.domain import (
    Answer,
    EncodedImage,
    Frame,
    ModelInfo,
    Pixels,
    Receipt,
    StoredCapture,
)
from agent.errors import ModelUnusable


class Clock(Protocol):
    """Time, passed in."""

    def monotonic(self) -> float:
        """Seconds that never step; for every interval."""

    def wall(self) -> float:
        """Seconds since 1970 UTC; data only: a device may boot in 1970 and jump."""


class FrameSource(Protocol):
    """One camera or one recording. Used by one thread."""

    live: bool
    """True for a camera: its newest frame counts. False for a recording: each frame counts."""

    unreadable: int
    """Pictures of a recording that were skipped, because they could not be decoded."""

    def read(self) -> Frame | None:
        """Return the next frame due for analysis, or None at the end of a recording.

        Opens the source at the first call. May block up to the source's own timeouts.
        Raises `CameraLost` when there is no frame to be had; the caller then calls `close`
        and, for a live source, may call `read` again later, which opens it anew.
        """

    def close(self) -> None:
        """Release the device or connection; harmless when it is not open."""


class Detector(Protocol):
    """A loaded model. `detect` may be called by several threads at once."""

    @property
    def info(self) -> ModelInfo:
        """Which model it is."""

    def detect(self, pixels: Pixels) -> Answer:
        """Say what the model sees: detections at or above the floor, or the best classes.

        Boxes are in pixels of `pixels`, inside its edges. Any shape of at least 1 x 1 is
        accepted, and no output of the model, however odd, is an error.
        """


class LoadedModel(Detector, Protocol):
    """A detector that tells how it came to be."""

    @property
    def decided(self) -> str:
        """How its outputs are read, and why so."""

    @property
    def wasteful(self) -> str | None:
        """What each frame costs for nothing, and what mends it; None where nothing does."""


class ModelStore(Protocol):
    """The last model that proved itself, kept through restarts."""

    def keep(self, model: LoadedModel) -> None:
        """Keep what `model` was loaded from, instead of what was kept before. Never raises."""

    def instead(self, failure: ModelUnusable) -> LoadedModel:
        """Load what is kept; raises `failure`, or one that tells more, where nothing fits."""


class ImageEncoder(Protocol):
    """Turns pixels into the bytes that are stored and sent."""

    def encode(self, pixels: Pixels) -> EncodedImage:
        """Encode once; the result is never encoded again."""


class UploadTarget(Protocol):
    """Where captures go. Returning from `send` means the far side proved that it stored it.

    `send` may be called by several threads at once, with different captures.
    """

    name: str
    """The address as it may be shown: no secrets."""

    def send(self, capture: StoredCapture) -> Receipt:
        """Deliver one capture; sending it again must not store it twice.

        Raises `TargetUnavailable`, `TargetHeld` or `CaptureRejected`, nothing else.
        """

    def probe(self) -> str:
        """Ask, without sending a capture, whether `send` could work; say in a few words why so.

        Raises as `send` does.
        """


class Notifier(Protocol):
    """The service manager that started us, or nobody."""

    def notify(self, state: str) -> None:
        """Send one or more `NAME=value` lines, such as `READY=1`. Never raises."""


Jitter = Callable[[float], float]
"""From an upper bound in seconds, a uniformly random wait in [0, bound]."""
