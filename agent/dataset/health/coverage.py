"""Which hours, days, cameras and devices a dataset covers, and how its images came to it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from agent.dataset.health.examine import Examined
from agent.dataset.health.findings import ImagesByKey

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = 24


_CLOCK_MIN = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
"""A device whose clock was never set begins at 1970: an earlier time is none."""


def coverage(
    examined: Sequence[Examined], zone: tzinfo | None, found: ImagesByKey
) -> dict[str, Any]:
    """Return the images of each camera by hour of the day and day of the week.

    Of the time `zone`; None is the local time of this computer.

    Images whose clock was not synchronized are counted apart: their hour is not known.
    """
    hours: dict[str, list[int]] = defaultdict(lambda: [0] * HOURS)
    days: dict[str, list[int]] = defaultdict(lambda: [0] * len(DAYS))
    devices: Counter[str] = Counter()
    cameras: Counter[str] = Counter()
    untimed, first, last = 0, None, None
    for number, each in enumerate(examined):
        moment = each.image.moment
        if moment is None:
            continue
        camera = camera_name(moment.device, moment.camera)
        devices[moment.device] += 1
        cameras[camera] += 1
        found.add(f"camera:{camera}", number)
        found.add(f"device:{moment.device}", number)
        when = _when(moment.wall, zone)
        if when is None:
            untimed += 1
            found.add("untimed", number)
            continue
        hours[camera][when.hour] += 1
        days[camera][when.weekday()] += 1
        found.add(f"hour:{when.hour}:{camera}", number)
        found.add(f"day:{when.weekday()}:{camera}", number)
        first = when if first is None else min(first, when)
        last = when if last is None else max(last, when)
    every = [sum(row[hour] for row in hours.values()) for hour in range(HOURS)]
    return {
        "time_zone": "local time" if zone is None else str(zone),
        "first": first.isoformat(timespec="seconds") if first else None,
        "last": last.isoformat(timespec="seconds") if last else None,
        "devices": dict(sorted(devices.items())),
        "cameras": dict(sorted(cameras.items())),
        "hours": dict(sorted(hours.items())),
        "days": dict(sorted(days.items())),
        "not_synchronized": untimed,
        "gaps": [{"from": begin, "to": end} for begin, end in hour_gaps(every)],
    }


def camera_name(device: str, camera: str) -> str:
    """Return the name of a camera among those of all devices."""
    return f"{device} / {camera}" if device else camera


def hour_gaps(hours: Sequence[int]) -> list[tuple[int, int]]:
    """Return the times of day without an image, each as its first hour and the hour it ends.

    A gap may pass midnight: 22 to 5. Of a dataset without any times there is none; all hours that
    are empty but one make one gap.
    """
    if not any(hours):
        return []
    gaps = []
    for hour, count in enumerate(hours):
        if count or not hours[hour - 1]:
            continue  # not the first hour of a gap; of hour 0 the one before is hour 23
        end = hour
        while not hours[end % HOURS]:
            end += 1
        gaps.append((hour, end % HOURS))
    return gaps


def tallies(examined: Sequence[Examined], found: ImagesByKey) -> dict[str, dict[str, int]]:
    """Return how many images there are of each split, label origin, review, lane and rule."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for number, each in enumerate(examined):
        for kind, value in _facts(each):
            counts[kind][value] += 1
            found.add(f"{kind}:{value}", number)
    kinds = ("split", "origin", "review", "lane", "rule")
    return {kind: dict(sorted(counts[kind].items(), key=lambda e: (-e[1], e[0]))) for kind in kinds}


def _facts(each: Examined) -> Iterator[tuple[str, str]]:
    image = each.image
    if image.split:
        yield "split", image.split
    if image.origin:
        yield "origin", image.origin
    if image.lane:
        yield "review", image.review or "not reviewed"
        yield "lane", image.lane
    for rule in image.rules:
        yield "rule", rule


def _when(wall: float | None, zone: tzinfo | None) -> datetime | None:
    if wall is None or wall < _CLOCK_MIN:
        return None
    try:
        return datetime.fromtimestamp(wall, UTC).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return None
