"""Writes the chosen images into a bucket, as devices deliver them: `review s3://...` reads it.

    PREFIX/DEVICE/yyyy-mm-dd/ID.jpg, ID.json    a capture; its record is written last
    PREFIX/report.json, PREFIX/report.html      of the newest choice

Captures in a bucket never change and are never removed: reviews of others may refer to them. So a
second choice may add images, and is refused where it would leave out one of the first.
"""

import json
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, nullcontext

from agent.dataset.bucket import Bucket
from agent.errors import ConfigurationError
from agent.pool.output.captures import OutputCapture
from agent.pool.output.place import ChoiceFile
from agent.record.summary import capture_day
from agent.upload.targets.s3_address import key_segment


class BucketOutput:
    """The prefix of a bucket that the command writes into."""

    def __init__(self, bucket: Bucket, choice: ChoiceFile) -> None:
        self._bucket = bucket
        self._choice = choice
        self._own: frozenset[str] = frozenset()

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
        for done, capture in enumerate(captures, 1):
            record = json.loads(capture.record)
            device, day = key_segment(str(record.get("device", ""))), capture_day(record)
            place = f"{device}/{day}/{capture.chosen.row.id}"
            self._bucket.create(f"{place}.jpg", capture.image)
            self._bucket.create(f"{place}.json", capture.record)
            progress(done)
        return {}

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
