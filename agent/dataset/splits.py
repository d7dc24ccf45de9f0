"""Assigns captures to train, validation and test so that none is known from another. Pure.

- test: captures of the random lane that a person has reviewed. They alone are an unbiased sample.
- validation: whole blocks of time of a camera, drawn by the hash of the block's name. So a block
  keeps its split when captures are added, unless there are few.
- train: the rest, without frames within the gap of a held-out frame of the same camera.

What no person looked at before the model labelled it (lane `auto`), and synthetic variants, may
only be in train; a variant only if its parent is.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.dataset.leakage import Neighbours
from agent.dataset.moments import Moment

_LEAST, _MOST = 0.5, 1.5  # times the wanted share of validation frames, if blocks allow it


class Split(StrEnum):
    """What a capture is used for."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class LeftOut(StrEnum):
    """Why a capture that could be used is in no split."""

    UNREVIEWED = "random captures that nobody has reviewed"
    NEAR = "within the gap of a validation or test frame"
    SAME_IMAGE = "the same image as a validation or test frame"
    IN_VALIDATION_BLOCK = "of lane auto, in a block of validation"
    PARENT = "synthetic variants whose parent is not in train"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A capture with known objects, as far as its split depends on it."""

    id: str
    moment: Moment
    image: str  # sha256
    is_random: bool = False  # of the random lane
    is_reviewed: bool = False  # a person said or drew what is there
    is_automatic: bool = False  # of lane `auto`
    is_synthetic: bool = False
    parent: str = ""  # id of the capture that a synthetic one was made from


@dataclass(frozen=True, slots=True)
class SplitTerms:
    """How to split."""

    block: float = 600.0  # seconds of a block of time
    gap: float = 60.0  # seconds; training frames are farther from held-out frames; 0 = no gap
    val: float = 0.2  # share of the frames that are not test frames, 0 to below 1
    has_test: bool = True  # random captures are the test set; else they are split like others


@dataclass(frozen=True, slots=True)
class Splits:
    """Which captures are in which split; each candidate is in one of both."""

    by_id: Mapping[str, Split]
    left_out: Mapping[str, LeftOut]

    def ids(self, split: Split) -> list[str]:
        """Return the ids of the captures of a split, in order."""
        return sorted(name for name, each in self.by_id.items() if each is split)


def split_captures(candidates: Iterable[Candidate], terms: SplitTerms) -> Splits:
    """Assign each candidate; the result depends on nothing but their content."""
    ordered = sorted(candidates, key=lambda each: each.id)
    by_id: dict[str, Split] = {}
    left_out: dict[str, LeftOut] = {}
    plain: list[Candidate] = []
    automatic: list[Candidate] = []
    for each in ordered:
        if each.is_synthetic:
            continue
        if each.is_automatic:
            automatic.append(each)
        elif not each.is_random or not terms.has_test:
            plain.append(each)
        elif each.is_reviewed:
            by_id[each.id] = Split.TEST
        else:
            left_out[each.id] = LeftOut.UNREVIEWED
    test_images = {each.image for each in ordered if each.id in by_id}
    repeated = [each for each in plain if each.image in test_images]
    left_out |= {each.id: LeftOut.SAME_IMAGE for each in repeated}
    plain = [each for each in plain if each.id not in left_out]

    val_blocks = validation_blocks([each.moment.block(terms.block) for each in plain], terms.val)
    by_id |= {each.id: Split.VAL for each in plain if each.moment.block(terms.block) in val_blocks}
    held_out = [each for each in ordered if each.id in by_id]
    images = {each.image for each in held_out}
    neighbours = Neighbours(each.moment for each in held_out)
    for each in [*(each for each in plain if each.id not in by_id), *automatic]:
        if each.image in images:
            left_out[each.id] = LeftOut.SAME_IMAGE
        elif each.is_automatic and each.moment.block(terms.block) in val_blocks:
            left_out[each.id] = LeftOut.IN_VALIDATION_BLOCK
        elif terms.gap > 0 and neighbours.distance(each.moment) <= terms.gap:
            left_out[each.id] = LeftOut.NEAR
        else:
            by_id[each.id] = Split.TRAIN
    _add_variants([each for each in ordered if each.is_synthetic], by_id, left_out)
    return Splits(by_id, left_out)


def validation_blocks(blocks: Sequence[tuple[str, ...]], share: float) -> set[tuple[str, ...]]:
    """Return the blocks that are held out for validation; `blocks` has that of each frame.

    A block is drawn if its hash, as a number from 0 to 1, is below `share`. The next ones in the
    order of the hash are drawn too while validation has less than half of its share of the frames,
    and a block that would give it more than one and a half of it is not. At least one block is
    drawn, and one is left for training; of one block alone nothing is held out.
    """
    sizes: dict[tuple[str, ...], int] = defaultdict(int)
    for block in blocks:
        sizes[block] += 1
    if share <= 0 or len(sizes) < 2:  # noqa: PLR2004
        return set()
    drawn: set[tuple[str, ...]] = set()
    frames, wanted = 0, share * len(blocks)
    for number, block in sorted((_number(block), block) for block in sizes):
        if number >= share and frames >= _LEAST * wanted:
            break
        if frames + sizes[block] <= _MOST * wanted and len(drawn) + 1 < len(sizes):
            drawn.add(block)
            frames += sizes[block]
    return drawn or {min(sizes, key=lambda block: (sizes[block], _number(block), block))}


def _add_variants(
    variants: Collection[Candidate], by_id: dict[str, Split], left_out: dict[str, LeftOut]
) -> None:
    """Add synthetic variants whose parent, itself perhaps a variant, is in train."""
    waiting = {each.id: each for each in variants}
    while ready := [each for each in waiting.values() if by_id.get(each.parent) is Split.TRAIN]:
        for each in ready:
            by_id[each.id] = Split.TRAIN
            del waiting[each.id]
    left_out |= dict.fromkeys(waiting, LeftOut.PARENT)


def _number(block: tuple[str, ...]) -> float:
    """Return the hash of a block's name as a number from 0 to below 1."""
    text = "\0".join(block).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:6]) / 2**48
