"""An export that YOLO trainers open: `data.yaml`, `images/SPLIT`, `labels/SPLIT`.

A classifier's export has one folder for each class in each split, as trainers of classifiers want
it: also empty ones, because some number the classes of each split by its folders.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from agent.dataset import yolo
from agent.dataset.classes import class_folder
from agent.dataset.export.contents import Contents, ExportedCapture
from agent.dataset.splits import Split

FOLDERS = ("images", "labels", *Split)
"""What the form writes into, besides files."""


def image_place(contents: Contents, capture: ExportedCapture) -> PurePosixPath:
    """Return where the image of a capture goes."""
    if contents.form is None:
        label = contents.classes[capture.classes[0]]
        return PurePosixPath(capture.split, class_folder(label), f"{capture.id}.jpg")
    return PurePosixPath("images", capture.split, f"{capture.id}.jpg")


def folders(contents: Contents) -> list[PurePosixPath]:
    """Return the folders that exist even if they are empty."""
    if contents.form is None:
        names = [class_folder(label) for label in contents.classes]
        return [PurePosixPath(split, name) for split in Split for name in names]
    return [PurePosixPath(kind, split) for kind in ("images", "labels") for split in Split]


def files(contents: Contents) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield the text files. Regions around many objects are left out: no row can say that."""
    if contents.form is None:
        return
    for capture in contents.captures:
        one = [each for each in capture.objects if not each.is_crowd]
        width, height = capture.size
        text = yolo.rows_of(
            [each.box for each in one],
            [each.number for each in one],
            width=width,
            height=height,
            form=contents.form,
        )
        yield PurePosixPath("labels", capture.split, f"{capture.id}.txt"), text
    for split in Split:
        captures = contents.of(split)
        for origin in sorted({each.origin for each in captures}):
            lines = [
                f"./images/{split}/{each.id}.jpg\n" for each in captures if each.origin is origin
            ]
            yield PurePosixPath(f"{split}-{origin}.txt"), "".join(lines)
    has_test = any(each.split is Split.TEST for each in contents.captures)
    splits = [split for split in Split if has_test or split is not Split.TEST]
    images = {split.value: f"images/{split}" for split in splits}
    yield PurePosixPath("data.yaml"), yolo.split_yaml(contents.classes, contents.form, images)
