"""When captures were taken, on the clocks that can be trusted. Pure.

A device without a battery for its clock starts with a wrong time of day, so a record says whether
the clock was synchronized. The time since the boot is always right, but compares with times of the
same boot only. One synchronized record tells the time of day for all records of its boot.

An image of a pool that no clock belongs to is its own boot: its record names itself there.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median_low
from typing import Any, TypeGuard

from agent.dataset.records import Records
from agent.record.timestamp import seconds_of

_LONGEST_S = 1e12  # seconds; no clock of a device says more


@dataclass(frozen=True, slots=True)
class Moment:
    """When and by which camera a capture was taken."""

    device: str
    camera: str
    boot: str = ""  # id of the boot; empty if the record has none
    uptime: float | None = None  # seconds from the boot to the capture
    wall: float | None = None  # seconds since 1970 UTC; None if no clock that can be trusted says
    is_alone: bool = False  # a single image of a pool: no clock relates it to others

    @property
    def is_timed(self) -> bool:
        """Whether any clock says when it was."""
        return self.wall is not None or self.uptime is not None

    def block(self, seconds: float) -> tuple[str, ...]:
        """Return the name of the block of `seconds` that the capture is in.

        Blocks are of one camera. They begin at full multiples of their length since 1970, or since
        the boot if the time of day is unknown. Captures without any time are one block.
        """
        of_camera = (self.device, self.camera)
        if self.wall is not None:
            return (*of_camera, "", str(math.floor(self.wall / seconds)))
        if self.uptime is not None:
            return (*of_camera, self.boot, str(math.floor(self.uptime / seconds)))
        return of_camera


def moments_of(records: Records) -> dict[str, Moment]:
    """Return the moment of each record, by id. Values that are not valid count as missing."""
    plain = {name: _moment(record) for name, record in records.items()}
    offsets: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name, moment in plain.items():
        wall = _synchronized_wall(records[name])
        if moment.uptime is not None and wall is not None:
            offsets[moment.device, moment.boot].append(wall - moment.uptime)
    # The median, because the clock may have been set between two captures.
    anchors = {boot: median_low(found) for boot, found in offsets.items()}
    return {
        name: _with_wall(moment, anchors, _synchronized_wall(records[name]))
        for name, moment in plain.items()
    }


def _with_wall(
    moment: Moment, anchors: Mapping[tuple[str, str], float], wall: float | None
) -> Moment:
    anchor = anchors.get((moment.device, moment.boot))
    if moment.uptime is not None and anchor is not None:
        wall = anchor + moment.uptime
    return replace(moment, wall=wall, is_alone=moment.is_alone and wall is None)


def _moment(record: Mapping[str, Any]) -> Moment:
    boot, nanoseconds = record.get("boot_id"), record.get("monotonic_ns")
    uptime = None
    if isinstance(boot, str) and boot and _is_number(nanoseconds):
        uptime = float(nanoseconds) / 1e9
        uptime = uptime if 0 <= uptime <= _LONGEST_S else None
    return Moment(
        str(record.get("device", "")),
        str(record.get("camera", "")),
        boot if isinstance(boot, str) and uptime is not None else "",
        uptime,
        is_alone=uptime == 0 and boot == record.get("id"),
    )


def _synchronized_wall(record: Mapping[str, Any]) -> float | None:
    """Return when the record says that it was captured; None if its clock was not synchronized."""
    if record.get("clock_synchronized") is not True:
        return None
    try:
        wall = seconds_of(str(record.get("captured_at", "")))
    except (ValueError, OverflowError):
        return None
    return wall if abs(wall) <= _LONGEST_S else None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e21  # noqa: PLR2004
