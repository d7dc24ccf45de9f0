"""Logs what the driver or the program of a camera says of itself."""

from agent.camera.device_options import DeviceSource, refused
from agent.library_output import LineLimit
from agent.logs import Log
from agent.ports import Clock


class SourceLog:
    """The events of one camera's driver or program; without a log they go nowhere."""

    def __init__(self, log: Log | None, camera: str, clock: Clock) -> None:
        self._clock = clock
        self._limit = LineLimit()  # also over restarts of the program
        self._log = None if log is None else log.bind(camera=camera)
        self._given: DeviceSource | None = None  # as it was logged

    def driver(self, asked: DeviceSource, given: DeviceSource) -> None:
        """Report what a driver gives, when it is first opened and when it has changed."""
        if self._log is None or given == self._given:
            return
        self._given = given
        facts = {
            "size": None if given.size is None else f"{given.size[0]}x{given.size[1]}",
            "fps": given.fps,
            "format": given.format,
        }
        missed = refused(asked, given)
        if missed:
            self._log.warning("driver configured", **facts, refused=missed)
        else:
            self._log.info("driver configured", **facts)

    def line(self, text: str) -> None:
        """Report a line of a program, unless one like it was reported not long ago."""
        left_out = self._limit.admit(text, self._clock.monotonic())
        if self._log is not None and left_out is not None:
            facts = {"left_out": left_out} if left_out else {}
            self._log.info("program message", text=text, **facts)
