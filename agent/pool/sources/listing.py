"""SOURCE... of a command -> the items of a pool."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.errors import ConfigurationError
from agent.pool.items import PoolItem
from agent.pool.sources.checked import CheckedSource, checked_sources
from agent.pool.sources.found import SourceSummary
from agent.pool.sources.item_list import ItemGroup, ItemList
from agent.pool.sources.kinds import SUPPORTED
from agent.pool.sources.sorted_objects import NotSorted

_TOLD = 1000  # items between two calls of `progress`


@dataclass(frozen=True, slots=True)
class Listing:
    """What a pool consists of."""

    items: Sequence[PoolItem]
    """Sorted by key; each key is there once."""
    sources: Sequence[SourceSummary]
    readable: Mapping[str, str] = field(default_factory=dict)
    """By bucket the key of an object that could be read, for `ItemReader`."""

    @property
    def problem_count(self) -> int:
        """How many files, folders and objects cannot be listed."""
        return sum(source.problem_count for source in self.sources)


def list_items(
    sources: Sequence[str], *, output: str = "", progress: Callable[[int], None] | None = None
) -> Listing:
    """Return the items of a pool.

    Args:
        sources: Paths of folders and files, and addresses `s3://BUCKET/PREFIX`.
        output: Path or address of the output; what is below it is no item.
        progress: Is told now and then how many items there are so far.

    Raises:
        ConfigurationError: Sources cannot be read, have no items, or are buckets of which nothing
            may be read; all of them are named.
        TemporaryError: A bucket does not answer.
    """
    try:
        checked = checked_sources(sources, output)
        items = _merged(checked, progress)
    except NotSorted:
        checked = checked_sources(sources, output, is_sorted=False)
        items = _merged(checked, progress)
    summaries = [each.summary for each in checked]
    for summary in summaries:
        summary.problems.sort()  # folders are listed in any order
    _refuse([_why_empty(each) for each in summaries if not each.items and not each.repeated])
    return Listing(items, summaries, _readable(checked))


def _merged(checked: Sequence[CheckedSource], progress: Callable[[int], None] | None) -> ItemList:
    items = ItemList()
    last = ""
    for key, number, group, size, version in heapq.merge(
        *map(_numbered, range(len(checked)), checked)
    ):
        summary = checked[number].summary
        if key == last:
            summary.repeated += 1
            continue
        last = key
        summary.items[group.kind] += 1
        items.add(key, group, size, version)
        if progress is not None and len(items) % _TOLD == 0:
            progress(len(items))
    return items


def _numbered(number: int, source: CheckedSource) -> Iterator[tuple[str, int, ItemGroup, int, int]]:
    return ((key, number, group, size, version) for key, group, size, version in source.items())


def _readable(checked: Sequence[CheckedSource]) -> dict[str, str]:
    """Try to read an object of each bucket; refuse those of which none may be read."""
    found: dict[str, str] = {}
    problems = []
    for source in checked:
        if source.objects is not None:
            try:
                key = source.objects.readable()
            except ConfigurationError as error:
                problems.append(str(error))
            else:
                if key is not None:
                    found.setdefault(source.objects.name, key)
    _refuse(problems)
    return found


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
