"""A dataset folder that follows a bucket which devices deliver to with `s3://BUCKET/PREFIX`.

    PREFIX/DEVICE/yyyy-mm-dd/ID.jpg, ID.mjpeg, ID.json    a capture; stored when its record is there
    PREFIX/devices/DEVICE.json                            what a device last said of itself
    PREFIX/verdicts/SHA256.jsonl                          reviews, as lines of `verdicts.jsonl`

A capture never changes, so only new ones are fetched. A desk adds its reviews as a new object that
is named by its content: several desks never overwrite each other, and nothing is sent twice.
In the folder, `.bucket/` keeps what came from and went to `verdicts/`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from agent.dataset.bucket import Bucket, ObjectMissing
from agent.dataset.folder import Dataset
from agent.dataset.records import RECORD_MAX, checked_record, part_folders
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import check_review, is_review, review_text
from agent.dataset.verdicts import LONGEST_LINE, read_verdicts
from agent.errors import ConfigurationError, DamagedDataset, TemporaryError, UnfitCapture
from agent.files import Disk
from agent.printable import printable
from agent.record.device_names import DEVICES
from agent.record.verdicts import is_capture_id

IMAGE_MAX = 50_000_000
"""Bytes of an image; one of 8K at the best quality has some 20 million."""

CLIP_MAX = 500_000_000
"""Bytes of a clip."""

REVIEWS = "verdicts"
"""Where the reviews are, below the prefix."""

_REVIEWS_MAX = 100_000_000  # bytes of an object with reviews
_NAME = re.compile(r"[0-9a-f]{64}\.jsonl")
_WORKERS = 8
_BATCH = 64  # captures that are asked for at once
_DENIALS = 3  # captures that must not be read, without one that may: none may
_PROBLEMS = 1000  # problems that are kept

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Fetched:
    """What a visit to the bucket brought."""

    captures: int = 0
    reviews: int = 0
    unfinished: int = 0  # captures whose record is not there yet
    foreign: int = 0  # objects that are neither captures nor reviews nor statuses of devices
    waiting: int = 0  # reviews of captures that are not there
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Parts:
    """The objects of one capture, without their ending, and their bytes."""

    key: str
    sizes: dict[str, int] = field(default_factory=dict)


class BucketMirror:
    """The folder `directory` as a copy of a bucket.

    Every method raises `ConfigurationError` where a person must change something, and
    `TemporaryError` where trying again helps: what was fetched stays.
    """

    def __init__(self, bucket: Bucket, directory: Path, disk: Disk) -> None:
        self.directory = directory.absolute()
        self._bucket = bucket
        self._disk = disk
        self._dataset = Dataset(self.directory, disk)
        self._copies = self.directory / ".bucket"
        self._lock = Lock()
        self._denials = 0

    def fetch(self, progress: Progress | None = None) -> Fetched:
        """Fetch the captures and reviews that are not here yet."""
        found = Fetched()
        with self._explained():
            self._disk.make_directory(self.directory)
            captures, reviews = self._listed(found)
            self._fetch_captures(captures, found, progress)
            self._fetch_reviews(reviews, found)
        return found

    def share(self) -> int:
        """Add the reviews that are only here to the bucket; return how many they were."""
        with self._explained():
            known = self._known_lines()
            lines = [line for line in self._own_lines() if line not in known]
            if not lines:
                return 0
            data = b"".join(line + b"\n" for line in dict.fromkeys(lines))
            name = f"{hashlib.sha256(data).hexdigest()}.jsonl"
            try:
                self._bucket.create(f"{REVIEWS}/{name}", data)
            except (ConfigurationError, TemporaryError) as error:
                kind = TemporaryError if isinstance(error, TemporaryError) else ConfigurationError
                raise kind(
                    f"{error}. The {len(lines)} new reviews are safe in "
                    f"{printable(self.directory)}, and go there when it is opened again"
                ) from error
            self._keep(name, data)
        return len(lines)

    def _listed(self, found: Fetched) -> tuple[list[_Parts], list[str]]:
        """Return the captures and the objects with reviews that are not here yet."""
        known = set(self._stored_ids())
        captures: dict[str, _Parts] = {}
        reviews = []
        for key, size in self._bucket.objects():
            folder, _, name = key.rpartition("/")
            stem, _, ending = name.rpartition(".")
            if folder == DEVICES:  # before captures: a device may be named like one
                continue
            if folder == REVIEWS and _NAME.fullmatch(name):
                reviews.append(name)
            elif ending in {"jpg", "json", "mjpeg"} and is_capture_id(stem):
                if stem not in known:
                    place = f"{folder}/{stem}" if folder else stem
                    captures.setdefault(place, _Parts(place)).sizes[ending] = size
            else:
                found.foreign += 1
        whole = [each for each in captures.values() if "json" in each.sizes]
        found.unfinished = len(captures) - len(whole)
        kept = {file.name for file in self._disk.files(self._copies)}
        return whole, sorted(set(reviews) - kept)

    def _stored_ids(self) -> Iterator[str]:
        for folder in (self.directory, *part_folders(self.directory)):
            for file in self._disk.files(folder / "records"):
                yield file.name.removesuffix(".json")

    def _fetch_captures(
        self, wanted: list[_Parts], found: Fetched, progress: Progress | None
    ) -> None:
        done = 0
        rest = iter(sorted(wanted, key=lambda each: each.key.rpartition("/")[2]))
        with ThreadPoolExecutor(_WORKERS) as pool:
            while batch := list(islice(rest, _BATCH)):
                for problem in pool.map(self._fetch_one, batch):
                    done += 1
                    if progress is not None:
                        progress(done, len(wanted))
                    if problem is None:
                        found.captures += 1
                    elif len(found.problems) < _PROBLEMS:
                        found.problems.append(problem)

    def _fetch_one(self, parts: _Parts) -> str | None:
        """Store one capture; return why it cannot be, None if it is."""
        try:
            if "jpg" not in parts.sizes:
                return f"{parts.key}: its image is not in the bucket"
            record = self._bucket.read(f"{parts.key}.json", RECORD_MAX)
            checked_record(record, parts.key.rpartition("/")[2])
            image = self._bucket.read(f"{parts.key}.jpg", IMAGE_MAX)
            clip = b""
            if "mjpeg" in parts.sizes:
                clip = self._bucket.read(f"{parts.key}.mjpeg", CLIP_MAX)
            self._dataset.store(record, image, clip)
        except (ObjectMissing, UnfitCapture, ValueError) as error:
            return f"{printable(parts.key, 300)}: {printable(error, 300)}"
        except ConfigurationError as error:
            with self._lock:
                self._denials += 1
                if self._denials >= _DENIALS:
                    raise
            return f"{printable(parts.key, 300)}: {printable(error, 300)}"
        return None

    def _fetch_reviews(self, names: Iterable[str], found: Fetched) -> None:
        """Add the reviews of others; one of an unknown capture is read again the next time."""
        dataset = None
        for name in names:
            try:
                data = self._bucket.read(f"{REVIEWS}/{name}", _REVIEWS_MAX)
            except ObjectMissing as error:
                found.problems.append(str(error))
                continue
            if hashlib.sha256(data).hexdigest() != name.removesuffix(".jsonl"):
                found.problems.append(f"{REVIEWS}/{name}: its content is not what its name says")
                continue
            dataset = dataset or ReviewedDataset(self.directory, self._disk)
            lines = list(_reviews_in(data))
            here = [line for line in lines if line["id"] in dataset.captures]
            found.reviews += dataset.add(here)
            found.waiting += len(lines) - len(here)
            if len(here) == len(lines):
                self._keep(name, data)

    def _own_lines(self) -> Iterator[bytes]:
        for line in read_verdicts(self.directory).lines:
            if is_review(line):
                try:
                    check_review(line)
                except ValueError:
                    continue
                yield review_text(line).encode()

    def _known_lines(self) -> set[bytes]:
        """Return the reviews that are in the bucket, as far as this desk has seen."""
        found = set[bytes]()
        for file in self._disk.files(self._copies):
            data = self._disk.read(self._copies / file.name)
            found |= {review_text(line).encode() for line in _reviews_in(data)}
        return found

    def _keep(self, name: str, data: bytes) -> None:
        self._disk.make_directory(self._copies)
        self._disk.write_durably(self._copies / name, data)

    def _explained(self) -> "_Explained":
        return _Explained(self.directory)


class _Explained:
    """Raises errors of the folder as those of the command."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        where = f"cannot keep the dataset in {printable(self._directory)}"
        if isinstance(error, DamagedDataset):
            raise ConfigurationError(f"{where}: {error}") from error
        if isinstance(error, OSError):
            raise TemporaryError(
                f"{where}: {printable(error.strerror or error)}; make room or choose another "
                "--cache, and call it again: what was fetched stays"
            ) from error


def _reviews_in(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the valid reviews in an object; other lines are of other programs."""
    for text in data.splitlines():
        if len(text) > LONGEST_LINE:
            continue
        try:
            line = json.loads(text)
            if isinstance(line, dict) and is_review(line):
                check_review(line)
                yield line
        except (ValueError, RecursionError):
            continue
