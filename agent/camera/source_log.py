"""Logs what the driver or the program of a camera says of itself."""

from agent.camera.device_options import DeviceSource, refused
from agent.logs import Log


class SourceLog:
    """The events of one camera's driver or program; without a log they go nowhere."""

    def __init__(self, log: Log | None, camera: str) -> None:
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

    def line(self, text: str, left_out: int) -> None:
        """Report a line of a program, and how many like it were left out since the last one."""
        if self._log is not None:
            facts = {"left_out": left_out} if left_out else {}
            self._log.info("program message", text=text, **facts)
