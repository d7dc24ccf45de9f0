"""The sources of a command, checked and not listed yet."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.dataset.bucket import Bucket
from agent.dataset.bucket_address import SCHEME, bucket_and_key, is_bucket
from agent.errors import ConfigurationError
from agent.pool.sources.distinct_names import distinct_names, outermost
from agent.pool.sources.folders import FolderSource, files_of
from agent.pool.sources.found import SourceSummary, Stream
from agent.pool.sources.objects import BucketSource
from agent.pool.sources.paths import checked_path
from agent.printable import printable
from agent.upload.http.options import HttpOptions

_RETRIES = 8  # of a request; a busy store gets some 20 s
_TIMEOUT = 60.0  # seconds of a request, for at most 16 MB
_RETRY_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class CheckedSource:
    """A source that can be listed, as far as that was looked at."""

    place: str
    """What its keys begin with."""
    summary: SourceSummary
    items: Callable[[], Stream]
    objects: BucketSource | None = None
    folder: FolderSource | None = None


def opened_bucket(name: str) -> Bucket:
    """Return a whole bucket, as sources and readers of items use it."""
    network = HttpOptions(timeout=_TIMEOUT)
    return Bucket(
        f"{SCHEME}{name}", network=network, retries=_RETRIES, retry_seconds=_RETRY_SECONDS
    )


def checked_sources(
    sources: Sequence[str], output: str = "", *, is_sorted: bool = True
) -> list[CheckedSource]:
    """Return the sources, those that may contain others first.

    The same source is returned once; files that are named one by one are one source together.

    Args:
        sources: Paths and addresses, as people write them.
        output: Path or address of the output.
        is_sorted: Whether stores list objects in the order of their keys.

    Raises:
        ConfigurationError: Sources cannot be read; all of them are named.
    """
    if not sources:
        raise ConfigurationError("no source is given; name a folder, a file or s3://BUCKET/PREFIX")
    found = _Sources(output, is_sorted=is_sorted)
    problems = []
    for text in dict.fromkeys(sources):
        try:
            found.add(text)
        except ConfigurationError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return found.ordered()


class _Sources:
    def __init__(self, output: str, *, is_sorted: bool) -> None:
        self._folder = Path(os.path.realpath(output)) if output and not is_bucket(output) else None
        self._output = bucket_and_key(output) if is_bucket(output) else None
        self._is_sorted = is_sorted
        self._found: dict[str, CheckedSource] = {}
        self._files: set[Path] = set()
        self._buckets: dict[str, Bucket] = {}

    def add(self, text: str) -> None:
        """Add a source; raises `ConfigurationError`."""
        if is_bucket(text):
            self._add_bucket(text)
            return
        path = checked_path(text, self._folder)
        if not path.is_dir():
            self._files.add(path)
            return
        place = f"{path}".rstrip("/") + "/"
        if place not in self._found:
            summary = SourceSummary(printable(text))
            folder = FolderSource(path, summary, self._folder, self._found.keys())
            self._found[place] = CheckedSource(place, summary, folder.items, folder=folder)

    def ordered(self) -> list[CheckedSource]:
        """Return the sources; a folder is before what is in it, and files are last."""
        ordered = [self._found[place] for place in sorted(self._found)]
        names = self._distinct_names()
        if self._files:
            files = self._files
            name = printable(next(iter(files)).name) if len(files) == 1 else f"{len(files)} files"
            summary = SourceSummary(name)
            ordered.append(CheckedSource("", summary, lambda: files_of(files, names)))
        return ordered

    def _distinct_names(self) -> dict[str, str]:
        """Return the names of all places; give them to the sources where there are several."""
        whole = outermost(self._found)
        folders = {f"{path.parent}".rstrip("/") + "/" for path in self._files}
        names = distinct_names([*whole, *(folders - set(whole))])
        if len(whole) > 1:
            for place in whole:
                source = self._found[place].folder or self._found[place].objects
                if source is not None:
                    source.distinct = names[place]
        return names

    def _add_bucket(self, text: str) -> None:
        name, prefix = bucket_and_key(text)
        output = None
        if self._output is not None and self._output[0] == name:
            output = self._output[1]
            if f"{prefix}/".startswith(f"{output}/" if output else ""):
                raise ConfigurationError(
                    f"cannot read the source {printable(text)!r}: it is --out, or lies in it; "
                    "write the output below another prefix"
                )
        place = f"{SCHEME}{name}/{prefix}".rstrip("/") + "/"
        if place in self._found:
            return
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = opened_bucket(name)
        summary = SourceSummary(printable(text))
        source = BucketSource(
            bucket, (name, prefix), summary, output=output, is_sorted=self._is_sorted
        )
        self._found[place] = CheckedSource(place, summary, source.items, source)
