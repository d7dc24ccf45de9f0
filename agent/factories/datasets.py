"""Dataset folders, also as copies of buckets, and the endpoint that fills one."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.dataset.bucket_address import is_bucket
from agent.errors import ConfigurationError, TemporaryError
from agent.files import Disk

if TYPE_CHECKING:
    from agent.dataset.bucket_mirror import Fetched
    from agent.dataset.clip_files import ClipForm
    from agent.dataset.folder import Dataset
    from agent.receiver.limits import Limits
    from agent.receiver.receiver import Receiver


def dataset_at(directory: Path, *, clips: ClipForm | None = None) -> Dataset:
    """The dataset folder at a path, private to this user; clips become frames, or as `clips`."""
    from agent.dataset.clip_files import ClipForm
    from agent.dataset.folder import Dataset

    directory = directory.absolute()
    return Dataset(directory, Disk(inside=directory), clips=clips or ClipForm.FRAMES)


def shared_dataset_at(directory: Path, *, clips: ClipForm | None = None) -> Dataset:
    """The dataset folder at a path, for those who may read the folder that it lies in.

    It leaves the device, on a stick or a share, and the person who opens it there is not the user
    of the service.
    """
    from agent.dataset.clip_files import ClipForm
    from agent.dataset.folder import Dataset

    directory = directory.absolute()
    disk = Disk(inside=directory, is_shared=True)
    return Dataset(directory, disk, clips=clips or ClipForm.FRAMES)


def receiver_of(
    dataset: Dataset,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    write: Callable[[str], object] | None = None,
    limits: Limits | None = None,
) -> Receiver:
    """An endpoint on `host` and `port` that stores into `dataset`; raises `OSError`.

    `write` gets a line for each capture and refusal; it must not block.
    """
    from agent.receiver.receiver import Receiver
    from agent.receiver.report import ArrivalReport

    report = ArrivalReport(write) if write is not None else None
    return Receiver(
        dataset,
        host=host,
        port=port,
        token=token,
        on_capture=report.arrived if report else None,
        on_device=report.new_device if report else None,
        on_refusal=report.refused if report else None,
        limits=limits,
    )


@dataclass(frozen=True, slots=True)
class LocalDataset:
    """A dataset that a command works on, wherever it is kept."""

    directory: Path
    name: str  # as people write it: the folder, or the bucket
    notes: tuple[str, ...]  # what a person should know of how it came here
    share: Callable[[], int]
    """Sends reviews that were added here to where the dataset is kept; returns how many."""
    renew: Callable[[], object] | None = None
    """Of a copy: fetches what is new, and shares. None for the dataset itself."""


def local_dataset(
    source: str | Path,
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LocalDataset:
    """Return the dataset in a folder, or of a bucket, which is copied into a folder first.

    A copy is brought up to date, by what is new alone. Reviews are fetched too, and `share` adds
    those that were written meanwhile to the bucket; call it as often as you like.

    Args:
        source: A folder, or `s3://BUCKET/PREFIX` as in AGENT_UPLOAD_URL.
        cache: Folder for copies of buckets; by default that of the user.
        progress: Is told how many captures are fetched, and how many there are to fetch.

    Raises:
        ConfigurationError: The address, the credentials or their rights are wrong.
        TemporaryError: The bucket or the disk fails; what was fetched stays.
    """
    if not is_bucket(str(source)):
        return LocalDataset(Path(source).absolute(), str(source), (), lambda: 0)
    from agent.dataset.bucket import Bucket
    from agent.dataset.bucket_mirror import BucketMirror

    bucket = Bucket(str(source))
    directory = (cache or _user_cache()).absolute() / _cache_name(str(source), bucket.endpoint)
    mirror = BucketMirror(bucket, directory, Disk(inside=directory))
    fetched = mirror.fetch(progress)
    notes = list(_notes(fetched))
    try:
        mirror.share()  # of a command that ended before it could
    except (ConfigurationError, TemporaryError) as error:  # who only looks needs no such right
        notes.append(str(error))

    def renew() -> None:
        mirror.share()
        mirror.fetch()

    return LocalDataset(directory, bucket.name, tuple(notes), mirror.share, renew)


def _user_cache() -> Path:
    """Return the folder of the user for what can be fetched again (XDG Base Directory 0.8)."""
    stated = os.environ.get("XDG_CACHE_HOME", "")
    try:
        place = Path(stated) if Path(stated).is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        raise ConfigurationError(
            "cannot find the user's folder for copies of buckets; name one with --cache"
        ) from error
    return place / "capture-agent" / "buckets"


def _cache_name(url: str, endpoint: str) -> str:
    """Return a name for the copy of a bucket: another address or endpoint has another one."""
    address = url.partition("://")[2].strip("/")
    digest = hashlib.sha256(f"{endpoint}\n{address}".encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '_', address)[:80]}-{digest[:8]}"


def _notes(fetched: Fetched) -> Iterator[str]:
    if fetched.captures or fetched.reviews:
        yield f"fetched {fetched.captures} captures and {fetched.reviews} reviews"
    if fetched.problems:
        shown = "; ".join(fetched.problems[:3])
        yield f"cannot fetch {len(fetched.problems)} objects: {shown}"
    if fetched.unfinished:
        yield f"left out {fetched.unfinished} captures that are not complete yet"
    if fetched.waiting:
        yield f"left out {fetched.waiting} reviews of captures that are not in the bucket"
