"""An open camera, whatever its kind."""

from typing import Protocol

from agent.domain import Pixels


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

    def retrieve(self) -> Pixels:
        """Return the grabbed frame as BGR `[height, width, 3]`, 0 to 255.

        Raises:
            UnusableImage: It is damaged, cannot be decoded, or is beyond the limits of size.
        """

    def close(self) -> None:
        """Release the device or connection."""
