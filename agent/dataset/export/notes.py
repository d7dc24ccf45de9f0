"""What a person must know before training with an export. Pure."""

from collections.abc import Collection

from agent.dataset.export.contents import UNTOUCHED, ExportedCapture
from agent.dataset.moments import moments_of
from agent.dataset.splits import Split, SplitTerms
from agent.domain import Lane
from agent.record.synthetic import is_synthetic

_BLOCKS = 5  # in the time that all frames span, so that train and val get some
_GAPS = 5  # in a block
_SHORTEST_S = 5.0  # span of the frames: a block has at least a second


def notes_of(exported: Collection[ExportedCapture], terms: SplitTerms, lost: int) -> list[str]:
    """Return warnings; `lost` random captures have a failure whose objects nobody gave."""
    notes = []
    by_split = {split: [each for each in exported if each.split is split] for split in Split}
    untouched = {
        split: sum(each.origin in UNTOUCHED for each in by_split[split]) for split in Split
    }
    if untouched[Split.TRAIN] or untouched[Split.VAL]:
        places = ", ".join(
            f"{untouched[split]} of {len(by_split[split])} in {split}"
            for split in (Split.TRAIN, Split.VAL)
            if untouched[split]
        )
        notes.append(
            f"labels that nobody looked at: {places}. They are the model's own predictions: "
            "training on them teaches its mistakes, and validation on them measures agreement "
            "with it. Review them, or leave them out with --origin reviewed,corrected"
        )
    if not by_split[Split.TRAIN]:
        notes.append(
            "train is empty: all captures are held out, left out, or within the gap of held-out "
            "frames. Use a shorter --gap and --block, or --test none"
        )
    elif not by_split[Split.VAL] and terms.val > 0:
        notes.append(_no_val(by_split[Split.TRAIN]))
    if terms.has_test and not by_split[Split.TEST]:
        notes.append(
            "test is empty: no random capture was reviewed. Review the random captures "
            "(capture-agent review DIR)"
        )
    if lost and terms.has_test:
        notes.append(
            f"test lacks {lost} random captures that a review calls wrong without giving the "
            "objects, so a model looks better on it than it is. Draw their objects"
        )
    return notes


def _no_val(train: Collection[ExportedCapture]) -> str:
    """Return why no block of time is in val, and what to do."""
    able = {
        each.id: each.record
        for each in train
        if each.record.get("lane") != Lane.AUTO and not is_synthetic(each.record)
    }
    if len(able) < 2:  # noqa: PLR2004
        return (
            f"val is empty: it would need two captures, and has {len(able)} to choose from. "
            "Those of the lane auto and variants are only in train. Capture more"
        )
    moments = moments_of(able).values()
    times = [each.uptime if each.wall is None else each.wall for each in moments]
    known = [time for time in times if time is not None]
    span = max(known) - min(known) if known else 0.0
    told = f"val is empty: all {len(able)} frames are in one block of time of one camera"
    if span < _SHORTEST_S:
        return f"{told}, {span:.1f} s long. Capture for longer, or with another camera"
    block = int(span / _BLOCKS)
    return (
        f"{told}, {span:.0f} s long. Capture for longer, or for a first trial use --block {block}s "
        f"--gap {1000 * block // _GAPS}ms"
    )
