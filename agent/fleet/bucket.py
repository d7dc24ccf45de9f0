"""Reads the heartbeats in a bucket that devices deliver to with `s3://BUCKET/PREFIX`.

    PREFIX/devices/NAME.json               the latest heartbeat of each device
    PREFIX/DEVICE/yyyy-mm-dd/ID.json       captures, whose folders name their devices

An object's own time of writing is when the heartbeat came. One that the store does not give is
named, and the rest is shown.
"""

import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

from agent.dataset.bucket import Bucket, ObjectMissing
from agent.errors import ConfigurationError, TemporaryError
from agent.fleet.devices import Heartbeat, Problem
from agent.fleet.folder import day_of
from agent.fleet.reading import DEVICES_MAX, ENDING, foreign, heartbeat_of, too_long, too_many
from agent.printable import printable
from agent.record.device_names import DEVICES, status_file
from agent.record.device_status import READ_MAX
from agent.upload.http.options import HttpOptions
from agent.upload.targets.s3_address import key_segment

REQUEST_S = 10.0
"""Seconds that the store may take for one object."""

ALL_S = 45.0
"""Seconds for all of them; what has not come then is named."""

_WORKERS = 32  # requests at once: 1,000 objects take some seconds at 100 ms each
_SLOW = f"the store did not answer within {ALL_S:.0f} s; try again"

Found = Heartbeat | Problem
Progress = Callable[[int, int], None]


def opened(url: str) -> Bucket:
    """Return the bucket of an address, for many small objects. Raises `ConfigurationError`."""
    return Bucket(url, network=HttpOptions(timeout=REQUEST_S), retries=1)


def heartbeats_in(
    bucket: Bucket, progress: Progress | None = None, *, seconds: float = ALL_S
) -> list[Found]:
    """Return each heartbeat and each problem, in order of the names.

    Raises what `Bucket` raises where the objects cannot be listed, or none may be read.
    """
    ends = time.monotonic() + seconds
    names: list[tuple[str, int]] = []
    found: list[Found] = []
    for key, size in bucket.objects(DEVICES):
        name = key.removeprefix(f"{DEVICES}/")
        if "/" in name:
            continue  # captures of a device that is named as this folder
        if not name.endswith(ENDING):
            found.append(foreign(name))
        elif size > READ_MAX:
            found.append(too_long(name, size))
        else:
            names.append((name, size))
    if len(names) > DEVICES_MAX:
        found.append(too_many(len(names)))
        del names[DEVICES_MAX:]
    read, denials = _read_all(bucket, [name for name, _ in names], ends, progress)
    if denials and not any(isinstance(each, Heartbeat) for each in read):
        raise denials[0]
    return [*read, *found]


def forget_in(bucket: Bucket, device: str) -> bool:
    """Delete the heartbeat of a device; False if it has none. Raises what `Bucket` raises."""
    key = f"{DEVICES}/{status_file(device, keeps_capitals=True)}"
    if bucket.size(key) is None:
        return False
    bucket.remove(key)
    return True


def devices_of_bucket(bucket: Bucket, reporting: Collection[str]) -> dict[str, float | None]:
    """Return the devices whose captures are there and that are not in `reporting`.

    With the day of the latest capture, where the store says it. Raises what `Bucket` raises.
    """
    known = {key_segment(device) for device in reporting} | {DEVICES}
    names = [name for name in bucket.folders() if name not in known][:DEVICES_MAX]

    def latest(name: str) -> tuple[str, float | None]:
        days = [day for each in bucket.folders(name) if (day := day_of(each)) is not None]
        return name, max(days, default=None)

    with ThreadPoolExecutor(_WORKERS) as pool:
        return {name: day for name, day in pool.map(latest, names) if day is not None}


def _read_all(
    bucket: Bucket, names: list[str], ends: float, progress: Progress | None
) -> tuple[list[Found], list[ConfigurationError]]:
    denials: list[ConfigurationError] = []

    def read(name: str) -> Found:
        try:
            data, changed = bucket.read_dated(f"{DEVICES}/{name}", READ_MAX)
        except (ObjectMissing, TemporaryError) as error:
            return Problem(name, printable(error))
        except ConfigurationError as error:
            denials.append(error)
            return Problem(name, printable(error))
        return heartbeat_of(name, data, changed)

    pool = ThreadPoolExecutor(_WORKERS)
    try:
        asked = {name: pool.submit(read, name) for name in names}
        for number, future in enumerate(asked.values(), 1):
            wait([future], timeout=max(ends - time.monotonic(), 0.0))
            if progress is not None:
                progress(number, len(asked))
        return list(_answers(asked)), denials
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _answers(asked: dict[str, Future[Found]]) -> Iterator[Found]:
    for name, future in asked.items():
        is_late = not future.done()
        yield Problem(name, _SLOW) if is_late else future.result()
