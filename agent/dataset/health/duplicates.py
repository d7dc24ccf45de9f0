"""Groups of images that are the same, or nearly: each but one of a group can go."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.selection.similarity import NEAR_IDENTICAL_BITS

_WORDS = 4  # of 64 bits
_WORD_MASK = 2**64 - 1


def exact_groups(sha256: Sequence[str]) -> list[list[int]]:
    """Return groups of equal files, those of two or more, in the order of their first file.

    An empty hash is of a file that could not be read.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for number, digest in enumerate(sha256):
        if digest:
            groups[digest].append(number)
    return [group for group in groups.values() if len(group) > 1]


def near_groups(hashes: Sequence[int | None]) -> list[list[int]]:
    """Return groups of images whose difference hashes are within 8 bits of the group's first.

    Each image is in one group at most: it joins that of the earliest image that it is near to and
    that has not joined another. So no chain of small changes makes one group of a whole day. Images
    of plain colour have no hash to compare and are left out; so are those without one (None).
    """
    numbers = [number for number, each in enumerate(hashes) if each]
    words = _words([hashes[number] or 0 for number in numbers])
    taken = np.zeros(len(numbers), bool)
    groups = []
    for place, number in enumerate(numbers):
        if taken[place]:
            continue
        rest = words[place + 1 :]
        distance = np.bitwise_count(rest ^ words[place]).sum(axis=1)
        near = np.flatnonzero((distance <= NEAR_IDENTICAL_BITS) & ~taken[place + 1 :]) + place + 1
        if len(near):
            taken[near] = True
            groups.append([number, *(numbers[each] for each in near)])
    return groups


def superfluous(groups: Sequence[Sequence[int]]) -> int:
    """Return how many images can go: all but one of each group."""
    return sum(len(group) - 1 for group in groups)


def across(groups: Sequence[Sequence[int]], splits: Sequence[str]) -> Iterator[int]:
    """Yield the held-out images that have a training image in their group."""
    for group in groups:
        if any(splits[number] == "train" for number in group):
            yield from (number for number in group if splits[number] not in {"", "train"})


def _words(hashes: Sequence[int]) -> NDArray[np.uint64]:
    """Return hashes of 256 bits as `[n, 4]` words."""
    rows = [[(each >> 64 * word) & _WORD_MASK for word in range(_WORDS)] for each in hashes]
    return np.array(rows, np.uint64).reshape(-1, _WORDS)
