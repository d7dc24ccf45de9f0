"""Reads AGENT_MODEL_INPUT: `rgb scale=255 mean=... std=... fit=letterbox`. Pure.

The words are in any order, each at most once; for those that are missing, the format's own
preprocessing applies.

    rgb | bgr          order of the channels
    scale=255          values 0 to 255 are first divided by this
    mean=a,b,c         then this is subtracted, per channel; or one number for all
    std=a,b,c          then values are divided by this
    fit=letterbox      the whole frame, centred and padded; `corner`: at the top left, padded;
                       `stretch`: without padding; `crop`: only the centre
    pad=114            grey of the padding, 0 to 255
    keep=0.875         with `crop`: the share of the shorter side
    size=640x384       width x height, if the model's axes are dynamic
"""

import re
from dataclasses import dataclass, replace

from agent.detector.formats.contract import ChannelOrder, Preprocessing
from agent.detector.letterbox import Padding, Size
from agent.printable import printable

ALLOWED = (
    "words such as rgb, bgr, scale=255, mean=0.485,0.456,0.406, std=0.229,0.224,0.225, "
    "fit=letterbox, fit=corner, fit=stretch, fit=crop, keep=0.875, pad=114, size=640x640"
)
FITS = {
    "letterbox": Padding.CENTRED,
    "corner": Padding.BOTTOM_RIGHT,
    "stretch": Padding.STRETCH,
    "crop": Padding.STRETCH,
}
LARGEST_SIDE = 8192
LEAST, LARGEST = 1e-6, 1e6
"""Bounds of `scale`, `mean`, `std` and `keep`: beyond them, values of float32 overflow."""

_NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
_NUMBERS = re.compile(rf"{_NUMBER}(?:,{_NUMBER},{_NUMBER})?", re.ASCII | re.IGNORECASE)
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})", re.ASCII)

PerChannel = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Changes to the preprocessing of a format; None: unchanged."""

    channel_order: ChannelOrder | None = None
    scale: float | None = None
    mean: PerChannel | None = None  # after `scale`
    std: PerChannel | None = None
    fit: str | None = None
    pad: int | None = None
    keep: float | None = None
    size: Size | None = None

    @classmethod
    def from_preprocessing(cls, preprocessing: Preprocessing) -> "InputSpec":
        """Return the description that turns any preprocessing into this one, except its stride."""
        fit = next(word for word, where in FITS.items() if where is preprocessing.padding)
        return cls(
            channel_order=preprocessing.channel_order,
            scale=1.0,
            mean=preprocessing.mean,
            std=preprocessing.std,
            fit=fit if preprocessing.crop is None else "crop",
            pad=preprocessing.pad_value,
            keep=preprocessing.crop,
            size=preprocessing.size,
        )

    @classmethod
    def parse(cls, text: str) -> "InputSpec":
        """Parse the words; raises `ValueError` that names the first wrong one."""
        fields: dict[str, object] = {}
        for word in text.split():
            key, value = _read(word)
            if key in fields:
                raise ValueError(f"'{printable(word)}': another word sets the same; {ALLOWED}")
            fields[key] = value
        if fields.get("keep") is not None and fields.get("fit") != "crop":
            raise ValueError("keep= needs fit=crop")
        return cls(**fields)  # type: ignore[arg-type]  # `_read` gives each key its type

    def __str__(self) -> str:
        size = self.size and f"{self.size.width}x{self.size.height}"
        fields = {
            "scale": self.scale,
            "mean": self.mean and ",".join(map(str, self.mean)),
            "std": self.std and ",".join(map(str, self.std)),
            "fit": self.fit,
            "pad": self.pad,
            "keep": self.keep,
            "size": size,
        }
        words = [f"{key}={value}" for key, value in fields.items() if value is not None]
        return " ".join([self.channel_order.value, *words] if self.channel_order else words)

    def apply_to(self, to: Preprocessing) -> Preprocessing:
        """Return the preprocessing with these changes."""
        changed = to
        if self.channel_order is not None and self.channel_order is not to.channel_order:
            # The format's mean and std are in its channel order.
            changed = replace(
                to, channel_order=self.channel_order, mean=_reversed(to.mean), std=_reversed(to.std)
            )
        if self.scale is not None or self.mean is not None or self.std is not None:
            scale = self.scale or 1.0
            mean, std = self.mean or (0.0, 0.0, 0.0), self.std or (1.0, 1.0, 1.0)
            changed = replace(changed, mean=_scaled(mean, scale), std=_scaled(std, scale))
        if self.fit is not None:
            keep = (self.keep or 1.0) if self.fit == "crop" else None
            changed = replace(changed, padding=FITS[self.fit], crop=keep)
        if self.pad is not None:
            changed = replace(changed, pad_value=self.pad)
        return replace(changed, size=self.size) if self.size is not None else changed


def _read(word: str) -> tuple[str, object]:
    """Return one word's field and value; raises `ValueError`."""
    key, equals, text = word.partition("=")
    key = key.lower()
    if not equals and key in ("rgb", "bgr"):
        return "channel_order", ChannelOrder(key)
    if key in ("mean", "std") and _NUMBERS.fullmatch(text):
        numbers = [float(part) for part in text.split(",")]
        if max(map(abs, numbers)) <= LARGEST and (key == "mean" or min(numbers) >= LEAST):
            return key, tuple(numbers if len(numbers) > 1 else numbers * 3)
    if key == "fit" and text in FITS:
        return key, text
    if key == "pad" and text.isdigit() and int(text) <= 255:  # noqa: PLR2004  # a grey
        return key, int(text)
    if key in ("scale", "keep") and _NUMBERS.fullmatch(text) and "," not in text:
        number = float(text)
        if LEAST <= number <= (LARGEST if key == "scale" else 1):
            return key, number
    size = _SIZE.fullmatch(text)
    if key == "size" and size and all(0 < int(side) <= LARGEST_SIDE for side in size.groups()):
        return key, Size(int(size[1]), int(size[2]))
    raise ValueError(f"'{printable(word)}' is not understood; {ALLOWED}")


def _reversed(values: PerChannel) -> PerChannel:
    first, second, third = values
    return (third, second, first)


def _scaled(values: PerChannel, factor: float) -> PerChannel:
    first, second, third = values
    return (first * factor, second * factor, third * factor)
