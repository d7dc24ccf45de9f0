"""What applications and people beside the daemon can see and say: all that `api` and `mqtt` use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.domain import Observation, Verdict
from agent.ports import Clock
from agent.runtime.facts import FactWriter
from agent.runtime.figures import Figures
from agent.runtime.listeners import PipelineEvents
from agent.runtime.live import LiveState
from agent.runtime.recent import RecentFrames


class Captures(Protocol):
    """Asks for captures, and says what became of them. Thread-safe; never waits for the disk."""

    def request(self, camera: str, at: str | float | None = None, *, note: str = "") -> str:
        """Capture the frame nearest to `at`, and return the id of the capture.

        Args:
            camera: Its name.
            at: RFC 3339, or seconds before now such as "-3s"; None for the newest analysed frame.
                At most 10 s ago.
            note: Becomes part of the record.

        Raises `RequestRefused`.
        """

    def state(self, capture_id: str) -> Mapping[str, Any]:
        """Return `id`, `state`, `lane`, `rules` and more of a capture. Raises `RequestRefused`."""

    def latest(self) -> Sequence[Mapping[str, Any]]:
        """Return the last captures, newest first, each as `state` does."""


class Verdicts(Protocol):
    """Takes what people say about the model's output. Thread-safe."""

    def give(
        self,
        verdict: str,
        *,
        capture: str | None = None,
        camera: str | None = None,
        at: str | float | None = None,
        by: str = "",
        note: str = "",
    ) -> Mapping[str, Any]:
        """Take a verdict about a capture, or about the frame of a camera nearest to `at`.

        Returns the verdict as a line of `verdicts.jsonl`, and the `state` of its capture; `id` is
        null where there is no capture. May read the file of an older capture. Raises
        `RequestRefused`.
        """


class Shown(Protocol):
    """Hears of predictions that people saw. Thread-safe; never waits for the disk."""

    def shown(self, camera: str, at: str | float, *, seconds: float) -> Mapping[str, Any]:
        """Note that a person saw the prediction of the frame nearest to `at` for `seconds`.

        Returns its `camera` and `moment`, and whether it `counts` as shown. Raises
        `RequestRefused`.
        """


class FactStore(Protocol):
    """Where verdicts go that need no image of their own. Thread-safe."""

    def keep(self, verdict: Verdict) -> None:
        """Take a fact; return at once. It is durable soon, and then delivered exactly once."""


@dataclass(frozen=True, slots=True)
class LiveImage:
    """A frame as it may be looked at."""

    jpeg: bytes = field(repr=False)
    record: Mapping[str, Any] = field(repr=False)  # as of a capture, boxes in pixels of `jpeg`
    captured_at: str  # RFC 3339: what `at` takes
    age_s: float  # since it was analysed
    error: str | None  # why the camera gives no newer one
    sequence: int  # of the frame, counted by camera since the start
    tag: str  # another one for each image, also after a restart: letters, digits and hyphens


class LiveImages(Protocol):
    """Draws the newest frames; nothing is computed while nobody asks. Thread-safe."""

    def tag(self, camera: str, *, boxes: bool, size: int) -> str:
        """Return the tag of the image that `newest` would return now; computes nothing.

        Raises `RequestRefused`.
        """

    def newest(self, camera: str, *, boxes: bool, size: int = 1920) -> LiveImage:
        """Return the newest analysed frame, with the model's boxes or without.

        One image of a frame is made once, however many ask for it. `size`: its longest side in
        pixels is at most the smallest of `SIZES` that is not below it. Raises `RequestRefused`.
        """


class AnalysedFrames(Protocol):
    """Tells each analysed frame to those who listen. Thread-safe."""

    def listen(self, listener: Callable[[Observation], None]) -> Callable[[], None]:
        """Call `listener` with each frame, without its pixels; return the function that ends it.

        It is called in the thread of the pipeline: it returns at once and never raises.
        """

    def facts(self, observation: Observation, *, shapes: bool) -> Mapping[str, Any]:
        """Return the frame's moment and the model's output, boxes in pixels of the frame.

        With `shapes`, also the outlines of masks, which take time.
        """


class FrameIntake(Protocol):
    """Takes the frames of `push:` cameras. Thread-safe; never waits."""

    def require(self, camera: str) -> None:
        """Raise `RequestRefused` unless frames can be pushed to this camera now."""

    def put(
        self,
        camera: str,
        image: bytes,
        predictions: bytes | None = None,
        *,
        captured_at: float | None = None,
    ) -> Mapping[str, Any]:
        """Offer a frame.

        Args:
            camera: Its name.
            image: A JPEG or PNG file.
            predictions: What the application's model found in it, as JSON; None if it did not run.
            captured_at: Seconds since 1970 UTC; None for now.

        Returns `camera`, `accepted`, and `sequence`, or the `reason` why it is not accepted.
        Raises `RequestRefused`.
        """


@dataclass(frozen=True, slots=True)
class Application:
    """The doors of the running daemon."""

    cameras: tuple[str, ...]
    live: LiveState
    events: PipelineEvents
    clock: Clock
    status: Callable[[], Mapping[str, Any]] | None = None  # as `status --json`; reads the disk
    figures: Callable[[], Figures] | None = None  # for monitoring; may wait for the disk
    recent: RecentFrames | None = None  # the frames of the last 10 s; None if nobody can ask
    facts: FactWriter | None = None  # where verdicts go; None if nobody can give one
    captures: Captures | None = None
    verdicts: Verdicts | None = None
    shown: Shown | None = None
    images: LiveImages | None = None
    frames: AnalysedFrames | None = None
    intake: FrameIntake | None = None
    affirms: bool = False  # predictions that were shown and not contradicted are sampled
