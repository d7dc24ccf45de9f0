"""What a pool consists of, before anything of it is read."""

from dataclasses import dataclass
from enum import StrEnum


class ItemKind(StrEnum):
    """What an item is, which decides how it is analysed."""

    IMAGE = "image"  # one image, alone
    CAPTURE = "capture"  # an image with the record that a device made
    RECORDING = "recording"  # a video: its frames are analysed in order


@dataclass(frozen=True, slots=True)
class PoolItem:
    """One thing to analyse. Any process on any machine of the engine can read it by this alone."""

    key: str
    """Names it: its absolute path or its `s3://` address. Unique in a pool."""
    kind: ItemKind
    camera: str
    """Images of one camera show one scene: `DEVICE/CAMERA` of a capture, else the folder of an
    image or the name of a recording, relative to its source. A record that is read replaces it."""
    record: str = ""
    """Key of the record of a capture; empty without one."""
    size: int = 0
    """Bytes, as far as listing told; 0 where it did not."""
