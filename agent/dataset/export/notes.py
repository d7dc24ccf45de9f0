"""What a person must know before training with an export. Pure."""

from collections.abc import Collection

from agent.dataset.export.contents import UNTOUCHED, ExportedCapture
from agent.dataset.splits import Split, SplitTerms


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
        notes.append(
            "val is empty: all frames are in one block of time of one camera. Use a shorter --block"
        )
    if terms.has_test and not by_split[Split.TEST]:
        notes.append("test is empty: no random capture was reviewed")
    if lost and terms.has_test:
        notes.append(
            f"test lacks {lost} random captures that a review calls wrong without giving the "
            "objects, so a model looks better on it than it is. Draw their objects"
        )
    return notes
