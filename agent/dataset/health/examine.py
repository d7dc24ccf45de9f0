"""Reads each image of a dataset once: its facts and a thumbnail, remembered for the next time."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from agent.camera.images.file import decode_image, read_image_bytes
from agent.dataset.health.pixels import PixelFacts, measure_pixels
from agent.dataset.health.subject import HealthImage
from agent.dataset.health.thumbnails import thumbnail
from agent.errors import UnusableImage
from agent.files import Disk
from agent.printable import printable

THUMBNAILS = "thumbnails"
CACHE = "measured.json"
_CACHE_SCHEMA = 1
_CACHE_MAX = 2_000_000_000  # bytes
_BATCH = 64  # images that are read ahead
_JPEG_BEGIN, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_TAIL = 65_536  # bytes in which the end of a JPEG is, before what some cameras write after it
_HASH_HEX = 64  # digits of 256 bits

Advance = Callable[[int, int], None]
"""Told how many images are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What is known of one image."""

    image: HealthImage
    facts: PixelFacts | None = None  # None = it cannot be read
    sha256: str = ""  # of the file
    thumbnail: str = ""  # its path below the folder of the report; empty if there is none
    why: str = ""  # it cannot be read

    @property
    def is_missing(self) -> bool:
        """Whether there is no such file."""
        return self.facts is None and not self.why


def examine(
    images: Sequence[HealthImage],
    out: Path | None,
    disk: Disk,
    advance: Advance = lambda _done, _total: None,
) -> list[Examined]:
    """Return what is known of each image, in order, with one thread for each processor.

    Thumbnails and a cache of the facts are written below `out`; nothing is if it is None. Raises
    `OSError` if the disk refuses.
    """
    cache = _Cache(out, disk)
    found: list[Examined] = []
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for begin in range(0, len(images), _BATCH):  # so that few images are in memory
            for each in pool.map(cache.examined, images[begin : begin + _BATCH]):
                found.append(each)
                advance(len(found), len(images))
    cache.save()
    return found


class _Cache:
    """The facts of files that have not changed since the last check."""

    def __init__(self, out: Path | None, disk: Disk) -> None:
        self._out = out
        self._disk = disk
        self._known: Mapping[str, Any] = {} if out is None else _load(out / CACHE, disk)
        self._now: dict[str, Any] = {}
        self._written: set[Path] = set()
        self._lock = Lock()

    def examined(self, image: HealthImage) -> Examined:
        """Return what is known of an image; it is read unless the cache has it."""
        try:
            status = image.path.stat()
        except OSError:
            return Examined(image)
        stamp = [status.st_size, status.st_mtime_ns]
        known = self._known.get(image.name)
        if known is not None and known["stamp"] == stamp and self._has(known["thumbnail"]):
            self._now[image.name] = known
            facts = PixelFacts(**{**known["facts"], "hash": int(known["facts"]["hash"], 16)})
            return Examined(image, facts, known["sha256"], known["thumbnail"])
        try:
            data = read_image_bytes(image.path)
            _require_end(data)
            pixels = decode_image(data)
        except (UnusableImage, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            return Examined(image, why=printable(why))
        facts, sha256 = measure_pixels(pixels), hashlib.sha256(data).hexdigest()
        name = ""
        if self._out is not None:
            name = self._write(self._out, sha256, thumbnail(pixels))
        self._now[image.name] = {
            "stamp": stamp,
            "sha256": sha256,
            "thumbnail": name,
            "facts": {**asdict(facts), "hash": f"{facts.hash:x}"},
        }
        return Examined(image, facts, sha256, name)

    def save(self) -> None:
        """Write the cache for the next check."""
        if self._out is not None:
            content = {"schema": _CACHE_SCHEMA, "images": self._now}
            self._disk.make_directory(self._out)
            self._disk.write_durably(self._out / CACHE, json.dumps(content).encode())

    def _has(self, name: str) -> bool:
        return self._out is None or (name != "" and (self._out / name).is_file())

    def _write(self, out: Path, sha256: str, data: bytes) -> str:
        """Write a thumbnail under the hash of its image; return its path below `out`."""
        path = out / THUMBNAILS / sha256[:2] / f"{sha256[2:34]}.jpg"
        with self._lock:  # equal images would write the same file at once
            is_first = path not in self._written
            self._written.add(path)
            if is_first:
                self._disk.make_directory(path.parent)
        if is_first and not path.is_file():
            self._disk.write(path, data)
        return path.relative_to(out).as_posix()


def _require_end(data: bytes) -> None:
    """Raise `UnusableImage` for a JPEG that was cut off, which decodes with a grey rest."""
    if data.startswith(_JPEG_BEGIN) and _JPEG_END not in data[-_TAIL:]:
        raise UnusableImage("cannot use the image: its end is missing, so it was cut off")


def _load(path: Path, disk: Disk) -> Mapping[str, Any]:
    """Return the images of a cache that this version wrote; nothing for any other file."""
    try:
        if disk.size(path) > _CACHE_MAX:
            return {}
        content = json.loads(disk.read(path))
        if content["schema"] != _CACHE_SCHEMA:
            return {}
        return dict(_entries(content["images"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _entries(images: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, entry in images.items():
        facts = entry["facts"]
        if set(facts) != set(PixelFacts.__slots__) or len(facts["hash"]) > _HASH_HEX:
            continue
        int(facts["hash"], 16)
        if all(isinstance(value, int | float) for key, value in facts.items() if key != "hash"):
            yield name, entry
