"""What the stages need of the world, each written by its user, each listing its errors."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from agent.domain import (
    EncodedImage,
    Frame,
    ModelInfo,
    Observation,
    Pixels,
    Prediction,
    Receipt,
    SpoolEntry,
    StoredCapture,
    Suspect,
    Task,
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

    @property
    def live(self) -> bool:
        """True for a camera: its newest frame counts. False for a recording: each frame counts."""

    @property
    def unreadable(self) -> int:
        """Frames so far that were skipped: damaged in transmission, or not decodable."""

    @property
    def passed_over(self) -> str:
        """What a folder of images contains besides, such as `2 .heic, 1 folder`; else empty."""

    @property
    def progress_at(self) -> float:
        """When the source last did anything, in monotonic seconds; another thread reads it.

        It stands still while a call into a driver, a library or a file system does not return.
        """

    def read(self) -> Frame | None:
        """Return the next frame due for analysis, or None at the end of a recording.

        Opens the source at the first call. May block up to the source's own timeouts.
        Raises `CameraLost` when there is no frame to be had; the caller then calls `close`
        and, for a live source, may call `read` again later, which opens it again.
        """

    def close(self) -> None:
        """Release the device or connection; harmless when it is not open."""


@runtime_checkable
class Interruptible(Protocol):
    """A source whose wait for a frame can be ended, so that a stop does not take its timeout."""

    def interrupt(self) -> None:
        """Let the wait end soon with `CameraLost`; any thread may call it, once."""


@runtime_checkable
class WaitsForFrames(Protocol):
    """A source whose `read` waits for what others send, so that a loss ends when it comes."""

    @property
    def waits_for(self) -> str:
        """What it waits for, in words; empty for a source that must be opened again."""

    @property
    def dropped(self) -> int:
        """Frames so far that a newer one replaced before `read` took them. For any thread."""


@runtime_checkable
class HidesImages(Protocol):
    """A source that hides its whole image while its masks do not fit."""

    @property
    def misfit(self) -> str:
        """Why the whole of the latest image is hidden; empty if it is not. For any thread."""


class Detector(Protocol):
    """A loaded model. `detect` may be called by several threads at once."""

    @property
    def info(self) -> ModelInfo:
        """Which model it is."""

    def detect(self, pixels: Pixels) -> Prediction:
        """Say what the model sees: detections at or above the floor, or the best classes.

        Boxes are in pixels of `pixels`, inside its edges. Any shape of at least 1 x 1 is
        accepted. Neither an odd output of the model nor a run that fails is an error: the
        prediction is invalid then, and names the failure.
        """


class LoadedModel(Detector, Protocol):
    """A detector with what is known about its model file."""

    @property
    def decided(self) -> str:
        """The format in which its outputs are read, and why this one."""

    @property
    def object_features(self) -> str:
        """What features of objects are made from, or why there are none; for people."""

    @property
    def description(self) -> object:
        """Everything besides the file that decides its output; equal for the same output."""

    @property
    def batch_waste(self) -> str | None:
        """What a batch of more than 1 costs, and how to fix it; None for a batch of 1."""


class ModelStore(Protocol):
    """The known-good model: the last one that ran on this device, kept through restarts."""

    def keep(self, model: LoadedModel) -> None:
        """Copy the files of `model`, in place of the previous copy. Never raises."""

    def is_available(self) -> bool:
        """Whether a copy may run that is another model than the settings' file."""

    def fallback(self, failure: ModelUnusable) -> LoadedModel:
        """Load the copy; raise `failure`, or one with more details, if none may run."""


class ImageEncoder(Protocol):
    """The one door through which a frame becomes bytes that are stored, sent or shown."""

    def encode(self, observation: Observation, suspects: Sequence[Suspect] = ()) -> EncodedImage:
        """Encode once; the result is never encoded again.

        It gets the detections, and the suspects of a capture: what must not be recognized is where
        they are.
        """


class ViewEncoder(ImageEncoder, Protocol):
    """The same door, for images that a person looks at."""

    def drawn(
        self, observation: Observation, draw: Callable[[Pixels, EncodedImage], None]
    ) -> EncodedImage:
        """Encode with a drawing on it; `draw` changes the pixels, which are a copy.

        The image that `draw` gets has the size, and no bytes yet.
        """


class CaptureFolder(Protocol):
    """A dataset folder, as the parts that put captures into it see it."""

    directory: Path
    """Where it is; absolute."""

    def store(self, record_json: bytes, image: bytes, clip: bytes = b"") -> bool:
        """Store one capture durably; True when it is new, False when it was there already.

        `clip` is what the record describes as its clip; empty for none.

        Raises `UnfitCapture`, `DamagedDataset`, or `OSError` when the disk refuses.
        """

    def store_status(self, device: str, status: bytes) -> None:
        """Store what a device says of itself, durably, in place of the former one.

        Raises `OSError` when the disk refuses.
        """


class UploadTarget(Protocol):
    """Where captures go. Returning from `send` means the endpoint proved that it stored it.

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


@runtime_checkable
class TakesStatus(Protocol):
    """A target whose endpoint has a place for what devices say of themselves."""

    def send_status(self, device: str, status: bytes) -> None:
        """Put the status of a device in place of its former one. Any thread may call it.

        Raises `TargetUnavailable`, `TargetBlocked`, or `StatusRefused` where the endpoint has no
        place for it after all.
        """


@runtime_checkable
class KnowsLabels(Protocol):
    """A target whose endpoint has a list of labels of its own."""

    def compare_labels(self, labels: Sequence[str], task: Task = Task.DETECT) -> str | None:
        """Return what would not arrive of a model of this task and labels; None if all would.

        Raises as `UploadTarget.send` does.
        """


@dataclass(frozen=True, slots=True)
class SendDecision:
    """The capture to send next, and what must be durable before it is sent."""

    entry: SpoolEntry
    notes: Mapping[str, str | None] = field(default_factory=dict)


class SendOrder(Protocol):
    """Chooses what is sent next. Called under the spool's lock; owns no files."""

    def restore(self, notes: Mapping[str, str], waiting: Iterable[tuple[SpoolEntry, str]]) -> None:
        """Continue from the notes that earlier choices made durable, with all that waits.

        Of each that waits the entry and its hint, as `arrive` gets them.
        """

    def arrive(self, entry: SpoolEntry, hint: str) -> None:
        """A capture waits; `hint` is what its maker wanted the order to know of it."""

    def leave(self, entry: SpoolEntry) -> None:
        """It will not be sent any more: delivered, rejected, evicted or lost."""

    def choose(self) -> SendDecision | None:
        """What to send now, or None when nothing may be sent. Changes nothing."""

    def choose_unlike(
        self, refused: Sequence[SpoolEntry], last: Collection[str]
    ) -> SendDecision | None:
        """What to send now that is as unlike the `refused` as possible, and has no id in `last`.

        Of another lane, of another size, of a lower value. None when there is no choice: then the
        next in order is sent. Changes nothing.
        """

    def take(self, choice: SendDecision) -> None:
        """The choice is durable and being sent: it is no candidate until it is given back."""

    def give_back(self, entry: SpoolEntry) -> None:
        """It was not delivered and waits again."""

    def reason(self) -> str:
        """Why nothing may be sent though something waits."""

    def account(self) -> Mapping[str, str]:
        """Notes that go with whatever is made durable next, so that a power cut costs little."""

    def report(self) -> Mapping[str, float]:
        """Figures for the minute summary."""


class Notifier(Protocol):
    """The service manager that started us, or nobody."""

    def notify(self, state: str) -> None:
        """Send one or more `NAME=value` lines, such as `READY=1`. Never raises."""


Jitter = Callable[[float], float]
"""From an upper bound in seconds, a uniformly random wait in [0, bound]."""
