"""What a person chooses when exporting; loads nothing, for `--help`."""

from enum import StrEnum


class ExportFormat(StrEnum):
    """Which tools read an export."""

    YOLO = "yolo"
    COCO = "coco"
    CVAT = "cvat"


class SourceOfTest(StrEnum):
    """What the test split is."""

    RANDOM = "random"
    NONE = "none"
