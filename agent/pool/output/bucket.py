"""Writes the chosen images into a bucket, as devices deliver them: `review s3://...` reads it.

    PREFIX/DEVICE/yyyy-mm-dd/ID.jpg, ID.json    a capture; its record is written last
    PREFIX/report.json, PREFIX/report.html      of the newest choice

Captures in a bucket never change and are never removed: reviews of others may refer to them. So a
second choice may add images, and is refused where it would leave out one of the first.
"""

import json
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, nullcontext, suppress

from agent.dataset.bucket import Bucket, ObjectMissing
from agent.dataset.bucket_address import SCHEME, bucket_and_key, is_bucket
from agent.errors import ConfigurationError
from agent.pool.output.captures import OutputCapture, named
from agent.pool.output.chosen import ChosenImage
from agent.pool.output.in_order import in_order
from agent.pool.output.place import ChoiceFile
from agent.pool.sources.versions import object_version
from agent.record.summary import capture_day
from agent.upload.targets.s3_address import key_segment

_THREADS = 8  # of which most wait for the store


class BucketOutput:
    """The prefix of a bucket that the command writes into."""

    def __init__(self, bucket: Bucket, choice: ChoiceFile) -> None:
        self._bucket = bucket
        self._choice = choice
        self._own: frozenset[str] = frozenset()
        self._source: Bucket | None = None  # the same bucket, without the prefix

    def owned(self) -> AbstractContextManager[None]:
        """Keep nobody out: a bucket has no locks, and two calls create what the other one lacks."""
        return nullcontext()

    def begin(self, chosen: AbstractSet[str]) -> None:
        """Note the captures of a choice; raise `ConfigurationError` if one was chosen before."""
        self._own = self._choice.ids()
        left_out = sorted(self._own - chosen)
        if left_out:
            raise ConfigurationError(
                f"cannot choose again in {self._bucket.name}: {len(left_out)} of its images would "
                f"not be chosen any more, such as {left_out[0]}, and nothing is removed from a "
                "bucket; name another prefix"
            )
        self._choice.note(self._own | chosen)

    def store(
        self, captures: Iterable[OutputCapture], progress: Callable[[int], object]
    ) -> dict[str, str]:
        """Create the objects of captures; those that are there stay."""

        def put(capture: OutputCapture) -> None:
            place = _place_of(capture.chosen.row.id, capture.record)
            with named(capture.chosen.row.key):
                if capture.image:
                    self._bucket.create(f"{place}.jpg", capture.image)
                self._bucket.create(f"{place}.json", capture.record)

        for done, _ in enumerate(in_order(put, captures, threads=_THREADS), 1):
            progress(done)
        return {}

    def copy(self, chosen: ChosenImage) -> bool:
        """Let the store copy the image of a capture that is in the same bucket.

        False where that cannot be: it is elsewhere, has changed since it was listed, or these
        credentials may not.
        """
        item = chosen.item
        if not is_bucket(item.key) or bucket_and_key(item.key)[0] != self._bucket.bucket:
            return False
        source = Bucket(f"{SCHEME}{self._bucket.bucket}") if self._source is None else self._source
        self._source = source
        image, record = (bucket_and_key(key)[1] for key in (item.key, item.record))
        place = f"{_place_of(chosen.row.id, chosen.row.record)}.jpg"
        with suppress(ConfigurationError, ObjectMissing):
            about = [source.about(image), source.about(record)]
            tags = [each.tag for each in about if each is not None]
            if object_version(*tags) == item.version:
                self._bucket.copy(image, place)
                return True
        return False

    def unchanging(self, ids: AbstractSet[str]) -> AbstractSet[str]:
        """Return those of `ids` that are there: nothing in a bucket is replaced."""
        return self.stored(ids)

    def stored(self, ids: AbstractSet[str]) -> AbstractSet[str]:
        """Return those of `ids` that an earlier call stored."""
        found = {key.rpartition("/")[2] for key, _ in self._bucket.objects()}
        return {each for each in ids if f"{each}.json" in found} if ids else frozenset()

    def finish(self, chosen: AbstractSet[str]) -> None:
        """Note that the bucket has this choice."""
        self._choice.note(chosen)

    def write(self, name: str, data: bytes) -> None:
        """Write an object beside the captures, in place of one that is there."""
        self._bucket.put(name, data)

    def remove(self, name: str) -> None:
        """Leave it: nothing is removed from a bucket."""


def _place_of(name: str, record: bytes) -> str:
    """Return the key of a capture, without its ending."""
    facts = json.loads(record)
    return f"{key_segment(str(facts.get('device', '')))}/{capture_day(facts)}/{name}"
