"""SOURCE... of a command -> the items of a pool."""

import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.errors import ConfigurationError
from agent.pool.items import PoolItem
from agent.pool.sources.folders import FolderSource, files_of
from agent.pool.sources.found import SourceSummary, Stream
from agent.pool.sources.item_list import ItemGroup, ItemList
from agent.pool.sources.kinds import SUPPORTED
from agent.pool.sources.paths import checked_path
from agent.printable import printable

_TOLD = 1000  # items between two calls of `progress`


@dataclass(frozen=True, slots=True)
class Listing:
    """What a pool consists of."""

    items: Sequence[PoolItem]
    """Sorted by key; each key is there once."""
    sources: Sequence[SourceSummary]

    @property
    def problem_count(self) -> int:
        """How many files and folders cannot be listed."""
        return sum(source.problem_count for source in self.sources)


@dataclass(frozen=True, slots=True)
class _Source:
    """A source that was checked, and not listed yet."""

    place: str  # the beginning of its keys
    summary: SourceSummary
    items: Callable[[], Stream]


def is_bucket(source: str) -> bool:
    """Whether a source or an output is a bucket rather than a path."""
    return source.lower().startswith("s3://")


def list_items(
    sources: Sequence[str], *, output: str = "", progress: Callable[[int], None] | None = None
) -> Listing:
    """Return the items of a pool.

    Args:
        sources: Paths of folders and files, and addresses `s3://BUCKET/PREFIX`.
        output: Path or address of the output; what is below it is no item.
        progress: Is told now and then how many items there are so far.

    Raises:
        ConfigurationError: Sources cannot be read or have no items; all of them are named.
        TemporaryError: A bucket does not answer.
    """
    checked = _checked(sources, output)
    items = ItemList()
    last = ""
    for key, number, group, size in heapq.merge(*map(_numbered, range(len(checked)), checked)):
        summary = checked[number].summary
        if key == last:
            summary.repeated += 1
            continue
        last = key
        summary.items[group.kind] += 1
        items.add(key, group, size)
        if progress is not None and len(items) % _TOLD == 0:
            progress(len(items))
    summaries = [each.summary for each in checked]
    _refuse([_why_empty(each) for each in summaries if not each.items and not each.repeated])
    return Listing(items, summaries)


def _numbered(number: int, source: _Source) -> Iterator[tuple[str, int, ItemGroup, int]]:
    return ((key, number, group, size) for key, group, size in source.items())


def _checked(sources: Sequence[str], output: str) -> list[_Source]:
    """Return the sources, those that may contain others first; refuse all bad ones at once."""
    written = Path(os.path.realpath(output)) if output and not is_bucket(output) else None
    problems = (
        [] if sources else ["no source is given; name a folder, a file or s3://BUCKET/PREFIX"]
    )
    found: dict[str, _Source] = {}
    files: set[Path] = set()
    for text in dict.fromkeys(sources):
        try:
            path = checked_path(text, written)
        except ConfigurationError as error:
            problems.append(str(error))
            continue
        if path.is_dir():
            summary = SourceSummary(printable(text))
            place = f"{path}".rstrip("/") + "/"
            found.setdefault(
                place, _Source(place, summary, FolderSource(path, summary, written).items)
            )
        else:
            files.add(path)
    _refuse(problems)
    ordered = [found[place] for place in sorted(found)]  # a folder before what is in it
    if files:
        summary = SourceSummary(f"{len(files)} file{'s' * (len(files) > 1)}")
        ordered.append(_Source("", summary, lambda: files_of(files)))
    return ordered


def _why_empty(summary: SourceSummary) -> str:
    why = f"cannot use the source {summary.source!r}: there is no image and no recording in it"
    if summary.passed_over:
        why += f", but {summary.others()}"
    if summary.problem_count:
        return f"{why}. {summary.problem_count} cannot be listed, the first: {summary.problems[0]}"
    return f"{why}. Supported are {SUPPORTED}"


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigurationError("\n".join(problems))
