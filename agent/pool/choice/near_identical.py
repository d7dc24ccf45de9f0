"""Finds chosen images that are nearly identical to a candidate, over all cameras of a pool."""

from collections import defaultdict

import numpy as np

from agent.pool.candidates import Candidate
from agent.selection.camera_cover import Rows
from agent.selection.similarity import HASH_BITS, NEAR_IDENTICAL_BITS, hash_words

LEAST_CONTRAST_BITS = 2 * NEAR_IDENTICAL_BITS
"""A hash with as few bits set, or as few not set, says nothing: dark, blank and washed-out images
of different scenes have such hashes, and within 8 bits of each other."""


class NearIdentical:
    """The images that were chosen or shown before, numbered as they are added."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.cameras: list[str] = []
        self._words = Rows(np.uint64, HASH_BITS // 64)
        self._hashed = Rows(np.int64)  # the numbers of those with a hash that says something
        self._digests: dict[str, list[int]] = defaultdict(list)
        self._ids: dict[str, list[int]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, candidate: Candidate) -> None:
        """Add an image."""
        number, view = len(self.keys), candidate.view
        self.keys.append(candidate.key)
        self.cameras.append(view.camera)
        if candidate.id:
            self._ids[candidate.id].append(number)
        if view.digest:
            self._digests[view.digest].append(number)
        if view.bits is not None and has_contrast(view.bits):
            self._words.add(hash_words(view.bits))
            self._hashed.add([number])

    def has(self, candidate: Candidate) -> bool:
        """Return whether an image was added with the id or the digest of this one."""
        return candidate.id in self._ids or candidate.view.digest in self._digests

    def equal(self, candidate: Candidate, since: int) -> int | None:
        """Return the first image since that number which is the same by id or digest."""
        same = self._ids.get(candidate.id, []) + self._digests.get(candidate.view.digest, [])
        return min((number for number in same if number >= since), default=None)

    def near(self, candidate: Candidate, since: int) -> list[int]:
        """Return the images since that number whose hash is within 8 bits."""
        bits = candidate.view.bits
        if bits is None or not has_contrast(bits):
            return []
        first = int(np.searchsorted(self._hashed.since(0), since))
        apart = np.bitwise_count(self._words.since(first) ^ hash_words(bits)).sum(axis=1)
        found: list[int] = self._hashed.since(first)[apart <= NEAR_IDENTICAL_BITS].tolist()
        return found


def has_contrast(bits: int) -> bool:
    """Return whether a hash says anything of what its image shows."""
    count = bits.bit_count()
    return min(count, HASH_BITS - count) > LEAST_CONTRAST_BITS
