"""The objects of a bucket in the order of their keys, whatever the store makes of it."""

from collections.abc import Iterator

from agent.dataset.bucket import Bucket, ListedObject, OddName
from agent.dataset.bucket_address import SCHEME
from agent.pool.sources.found import SourceSummary
from agent.pool.sources.listed_ahead import ListedAhead, NotListedAfter


class NotSorted(Exception):
    """The store does not list keys in their order: list again with `is_sorted=False`."""


class SortedObjects:
    """Each object below a prefix, sorted by key.

    Names that the library cannot read, as with `//`, end a listing. Then the rest is listed folder
    by folder, and only what is directly in a folder with such a name is left out, and named.
    """

    def __init__(
        self, bucket: Bucket, place: tuple[str, str], summary: SourceSummary, *, is_sorted: bool
    ) -> None:
        """List bucket and prefix `place`; `bucket` is opened without a prefix."""
        name, self._prefix = place
        self._begin = f"{SCHEME}{name}/"
        self._bucket = bucket
        self._summary = summary
        self._is_sorted = is_sorted

    def __iter__(self) -> Iterator[ListedObject]:
        if not self._is_sorted:
            yield from sorted(self._objects())
            return
        last = ""
        for each in self._objects():
            if each.key < last:
                raise NotSorted
            last = each.key
            yield each

    def _objects(self) -> Iterator[ListedObject]:
        last = ""
        try:
            try:
                listed = ListedAhead(self._bucket, self._prefix) if self._is_sorted else None
                for each in listed or self._bucket.listed(self._prefix):
                    last = max(last, each.key)
                    yield each
            except NotListedAfter:
                rest = self._bucket.listed(self._prefix)
                yield from (each for each in rest if each.key > last)
        except OddName:
            yield from (each for each in self._by_folders() if each.key > last)

    def _by_folders(self) -> Iterator[ListedObject]:
        stack = [iter([_folder(self._prefix)])]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
            elif not found.key.endswith("/"):
                yield found
            else:
                try:
                    folders, objects = self._bucket.listed_level(found.key.removesuffix("/"))
                except OddName as error:
                    self._summary.problem(
                        f"{self._begin}{found.key}", f"it is left out: {error.why}"
                    )
                    continue
                stack.append(iter(sorted([*map(_folder, folders), *objects])))


def _folder(key: str) -> ListedObject:
    return ListedObject(f"{key}/", 0, "")
