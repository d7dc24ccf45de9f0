"""Groups of images that are the same, or nearly: each but one of a group can go."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.selection.similarity import NEAR_IDENTICAL_BITS, hash_words


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


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How many other images each image is nearly equal to, or an exact copy of."""

    every: NDArray[np.intp]  # of all images
    train: NDArray[np.intp]  # of those in training

    def leaking(self, splits: Sequence[str]) -> list[int]:
        """Return the held-out images that nearly equal a training image."""
        return [
            number
            for number, split in enumerate(splits)
            if split not in {"", "train"} and self.train[number]
        ]

    def leaking_at_random(self, held_out: float) -> float:
        """Return the share of held-out images that would leak in a random split, expected.

        `held_out` is the share of all images that it holds out. An image leaks unless all images
        that it is near to are held out too.
        """
        return float((1 - held_out**self.every).mean()) if len(self.every) else 0.0


def neighbours(
    hashes: Sequence[int | None], sha256: Sequence[str], splits: Sequence[str]
) -> Neighbours:
    """Return how many images are within 8 bits of each; it does not depend on their order.

    Images of plain colour, whose hash is 0, are near to exact copies alone.
    """
    every, train = np.zeros(len(hashes), np.intp), np.zeros(len(hashes), np.intp)
    is_train = np.array([split == "train" for split in splits], bool)
    numbers = np.array([number for number, each in enumerate(hashes) if each], np.intp)
    words = _words([hashes[number] or 0 for number in numbers])
    for place, number in enumerate(numbers):
        is_near = np.bitwise_count(words ^ words[place]).sum(axis=1) <= NEAR_IDENTICAL_BITS
        is_near[place] = False
        every[number] = np.count_nonzero(is_near)
        train[number] = np.count_nonzero(is_train[numbers[is_near]])
    for group in exact_groups([each if not hashes[n] else "" for n, each in enumerate(sha256)]):
        in_training = sum(bool(is_train[number]) for number in group)
        for number in group:
            every[number] = len(group) - 1
            train[number] = in_training - bool(is_train[number])
    return Neighbours(every, train)


def _words(hashes: Sequence[int]) -> NDArray[np.uint64]:
    """Return hashes of 256 bits as `[n, 4]` words."""
    return np.array([hash_words(each) for each in hashes], np.uint64).reshape(-1, 4)
