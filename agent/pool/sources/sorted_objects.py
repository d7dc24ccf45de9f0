"""The objects of a bucket in the order of their keys, whatever the store makes of it."""

from collections.abc import Iterator

from agent.dataset.bucket import Bucket, OddName
from agent.dataset.bucket_address import SCHEME
from agent.pool.sources.found import SourceSummary


class NotSorted(Exception):
    """The store does not list keys in their order: list again with `is_sorted=False`."""


class SortedObjects:
    """Key and bytes of each object below a prefix, sorted by key.

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

    def __iter__(self) -> Iterator[tuple[str, int]]:
        if not self._is_sorted:
            yield from sorted(self._objects())
            return
        last = ""
        for key, size in self._objects():
            if key < last:
                raise NotSorted
            last = key
            yield key, size

    def _objects(self) -> Iterator[tuple[str, int]]:
        last = ""
        try:
            for key, size in self._bucket.objects(self._prefix):
                last = max(last, key)
                yield key, size
        except OddName:
            for key, size in self._by_folders():
                if key > last:
                    yield key, size

    def _by_folders(self) -> Iterator[tuple[str, int]]:
        stack = [iter([(f"{self._prefix}/", 0)])]
        while stack:
            key, size = next(stack[-1], ("", 0))
            if not key:
                stack.pop()
            elif not key.endswith("/"):
                yield key, size
            else:
                try:
                    folders, objects = self._bucket.level(key.removesuffix("/"))
                except OddName as error:
                    self._summary.problem(f"{self._begin}{key}", f"it is left out: {error.why}")
                    continue
                stack.append(iter(sorted([*((f"{each}/", 0) for each in folders), *objects])))
