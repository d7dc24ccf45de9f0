"""What the analysis found in one image: all that the choice and the output ever ask of it."""

from dataclasses import dataclass, field
from math import inf

from agent.domain import Feature
from agent.pool.items import identity
from agent.selection.feedback import Side
from agent.selection.similarity import Crop


@dataclass(frozen=True, slots=True)
class RowSuspect:
    """One place in an image where the model is probably wrong, without any feedback."""

    rule: str
    side: Side
    p: float  # prior, 0 to 1
    label: str = ""
    box: tuple[float, float, float, float] | None = None
    """Normalized and not rounded: equal boxes are one place; None = the whole image."""
    track: int | None = None  # of a recording
    reason: str = ""
    crop: Crop | None = field(default=None, repr=False)
    feature: Feature | None = field(default=None, compare=False, repr=False)


NOT_READ = "cannot read the "
"""Begins the problem of an item whose bytes could not be had, as where rights are missing: the next
call tries it again."""


@dataclass(frozen=True, slots=True)
class PoolRow:
    """One image, or one frame of a recording."""

    key: str
    """That of its item; of a frame of a recording `KEY#FRAME`. Unique in a pool."""
    id: str = ""
    """UUID of the capture that it becomes: a capture's own, else made from the image's content."""
    camera: str = ""
    frame: int | None = None  # of a recording: its index, 0-based as decoded; None for an image
    at: float = -inf
    """Seconds on the clock of its recording, or of the device that captured it, since 1970 UTC;
    -inf for an image that belongs to no stream."""
    width: int = 0  # pixels
    height: int = 0
    sha256: str = ""  # of the image as stored; empty for a frame of a recording
    bits: int | None = None  # `difference_hash`: 256 bits
    digest: str = ""  # of the thumbnail: equal for equal images
    is_degraded: bool = False
    is_unusable: bool = False  # black, covered, frozen: it is never chosen
    suspects: tuple[RowSuspect, ...] = ()
    """All that the rules name, in their order: which of them count is known with the feedback."""
    source: str = ""  # of the features: the model and its tensor
    record: bytes = field(default=b"", repr=False)
    """The capture's record as JSON, complete but for the reason and value of its choice; of a
    capture its own record, unchanged."""
    version: int = 0
    """That of its item: of another one the row says nothing."""
    other_model: str = ""
    """Name and hash of the model that made a capture, where it is not that of the pool."""
    problem: str = ""
    """Why the image cannot be read, a sentence for people; only key and version are set then."""

    @property
    def item(self) -> str:
        """Return the key of the item that the image is, or is a frame of."""
        return self.key if self.frame is None else self.key.removesuffix(f"#{self.frame}")

    @property
    def identity(self) -> str:
        """Return the `PoolItem.identity` of that item."""
        return identity(self.item, self.version)


def frame_key(item: str, frame: int) -> str:
    """Return the key of a frame of a recording."""
    return f"{item}#{frame}"
