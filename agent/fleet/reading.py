"""Reads one file or object with a heartbeat; what is none is named, and the rest is shown."""

from agent.fleet.devices import Heartbeat, Problem
from agent.printable import printable
from agent.record.device_names import status_file
from agent.record.device_status import READ_MAX, SCHEMA, checked_status
from agent.record.timestamp import seconds_of

ENDING = ".json"

DEVICES_MAX = 20_000
"""Heartbeats of one fleet that are read: more are no fleet but an accident or an attack."""


def heartbeat_of(name: str, data: bytes, changed: float) -> Heartbeat | Problem:
    """Return what a file or object of `devices/` holds.

    Args:
        name: Of the file, without the folder.
        data: All of it, at most `READ_MAX` bytes.
        changed: When it was written, in seconds since 1970 UTC; where a receiver noted in it when
            the heartbeat came, that counts.
    """
    try:
        status = checked_status(data)
    except ValueError as error:
        return Problem(name, printable(error))
    device = status["device"]
    # A bucket tells capitals from small letters; a folder may also be a copy of one.
    if name not in {status_file(device), status_file(device, keeps_capitals=True)}:
        why = f"it is the status of the device {device}, whose file is {status_file(device)}"
        return Problem(name, why, is_heartbeat=False)
    at = status["received_at"]
    return Heartbeat(
        device,
        changed if at is None else seconds_of(at),
        status,
        is_newer=status["schema"] > SCHEMA,
    )


def too_long(name: str, size: int) -> Problem:
    """Return the problem of a file that cannot be a heartbeat."""
    return Problem(name, f"it has {size:,} bytes, a heartbeat at most {READ_MAX:,}")


def foreign(name: str) -> Problem:
    """Return the problem of a file that no device writes."""
    return Problem(name, f"its name does not end with {ENDING}", is_heartbeat=False)


def no_file(name: str) -> Problem:
    """Return the problem of a link, a folder or a pipe with the name of a heartbeat."""
    return Problem(name, "it is no regular file; links are not followed")


def too_many(count: int) -> Problem:
    """Return the problem of more files than are read."""
    why = f"it has {count:,} files of devices, and the first {DEVICES_MAX:,} are read"
    return Problem("devices/", why)
