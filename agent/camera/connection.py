"""An open camera, whatever its kind."""

from dataclasses import dataclass, field
from typing import Protocol

from agent.domain import Pixels


@dataclass(frozen=True, slots=True)
class CameraImage:
    """One image of a camera."""

    pixels: Pixels = field(repr=False)  # BGR `[height, width, 3]`, 0 to 255
    jpeg: bytes | None = field(default=None, repr=False)
    """A JPEG of exactly these pixels, as the camera made it, without metadata; None if none."""


class Connection(Protocol):
    """One connection to a camera, or one open device.

    Each method may block, up to the timeouts with which the connection was opened, and a method
    that calls a driver or FFmpeg may hang.
    """

    paced: bool
    """Whether frames come when they are requested, which `due_in` says, not by themselves."""

    fresh: bool
    """Whether the grabbed frame is new; False for a still image that is the same as before."""

    def due_in(self) -> float:
        """Return in how many seconds `grab` should be called, at the earliest."""

    def grab(self) -> bool:
        """Wait for the next frame; False if no more will come.

        Raises:
            CameraLost: The connection failed; the message is the reason alone.
        """

    def retrieve(self) -> CameraImage:
        """Return the grabbed frame.

        Raises:
            UnusableImage: It is damaged, cannot be decoded, or is beyond the limits of size.
        """

    def close(self) -> None:
        """Release the device or connection."""
