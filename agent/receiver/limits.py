"""What a receiver takes, and for how long a device may be stopped."""

from dataclasses import dataclass

from agent.fleet.needs import STOPPED_MAX_S


@dataclass(frozen=True, slots=True)
class Limits:
    """What a receiver takes."""

    body_max: int = 64 * 1024 * 1024
    """Bytes of one request."""
    devices: int = 5000
    """Devices that may send heartbeats."""
    new_devices_per_hour: int = 1000
    """Of them, those whose id was never seen."""
    stopped_max: float | None = STOPPED_MAX_S
    """Seconds that a device may be stopped until it needs somebody; None: for ever."""
