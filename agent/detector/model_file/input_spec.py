"""How an operator describes a model's input: `rgb scale=255 mean=... std=... fit=letterbox`.

Words in any order, each at most once; what is not said stays as the format has it. Pure.

    rgb | bgr          order of the channels
    scale=255          values 0 to 255 are divided by it first
    mean=a,b,c         then this is subtracted, in the order of the channels; or one for all
    std=a,b,c          then this divides
    fit=letterbox      the whole frame in the middle, padded; `corner`: at the top left, padded;
                       `stretch`: its shape distorted; `crop`: only the middle
    pad=114            grey of the padding, 0 to 255
    keep=0.875         with `crop`: the share of the shorter side
    size=640x384       width x height, where the model's axes are free
"""

import re
from dataclasses import dataclass, replace

from agent.detector.formats.contract import ChannelOrder, Preprocessing
from agent.detector.letterbox import Padding, Size

ALLOWED = (
    "words such as rgb, bgr, scale=255, mean=0.485,0.456,0.406, std=0.229,0.224,0.225, "
    "fit=letterbox, fit=corner, fit=stretch, fit=crop, keep=0.875, pad=114, size=640x640"
)
FITS = {
    "letterbox": Padding.AROUND,
    "corner": Padding.AFTER,
    "stretch": Padding.STRETCH,
    "crop": Padding.STRETCH,
}
LARGEST_SIDE = 8192
_NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
_NUMBERS = re.compile(rf"{_NUMBER}(?:,{_NUMBER},{_NUMBER})?", re.ASCII | re.IGNORECASE)
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})", re.ASCII)

Three = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What was said of a model's input; None: nothing."""

    colours: ChannelOrder | None = None
    scale: float | None = None
    mean: Three | None = None  # after `scale`
    std: Three | None = None
    fit: str | None = None
    pad: int | None = None
    keep: float | None = None
    size: Size | None = None

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> "InputSpec":
        """Return the words that make this preprocessing of any other, but for its stride."""
        fit = next(word for word, where in FITS.items() if where is preprocessing.padding)
        return cls(
            colours=preprocessing.colours,
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
        """Read the words; raises `ValueError` that names the first wrong one."""
        said: dict[str, object] = {}
        for word in text.split():
            key, value = _read(word)
            if key in said:
                raise ValueError(f"{word!r} says again what another word said; {ALLOWED}")
            said[key] = value
        if said.get("keep") is not None and said.get("fit") != "crop":
            raise ValueError("keep= needs fit=crop")
        return cls(**said)  # type: ignore[arg-type]  # `_read` gives each key its type

    def __str__(self) -> str:
        size = self.size and f"{self.size.width}x{self.size.height}"
        said = {
            "scale": self.scale,
            "mean": self.mean and ",".join(map(str, self.mean)),
            "std": self.std and ",".join(map(str, self.std)),
            "fit": self.fit,
            "pad": self.pad,
            "keep": self.keep,
            "size": size,
        }
        words = [f"{key}={value}" for key, value in said.items() if value is not None]
        return " ".join([self.colours.value, *words] if self.colours else words)

    def applied(self, to: Preprocessing) -> Preprocessing:
        """Return a preprocessing changed by what was said."""
        changed = to
        if self.colours is not None and self.colours is not to.colours:
            # The family's means belong to its colours; they move with them.
            changed = replace(to, colours=self.colours, mean=_turned(to.mean), std=_turned(to.std))
        if self.scale is not None or self.mean is not None or self.std is not None:
            scale = self.scale or 1.0
            mean, std = self.mean or (0.0, 0.0, 0.0), self.std or (1.0, 1.0, 1.0)
            changed = replace(changed, mean=_times(mean, scale), std=_times(std, scale))
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
        return "colours", ChannelOrder(key)
    if key in ("mean", "std") and _NUMBERS.fullmatch(text):
        numbers = [float(part) for part in text.split(",")]
        if key == "mean" or min(numbers) > 0:
            return key, tuple(numbers if len(numbers) > 1 else numbers * 3)
    if key == "fit" and text in FITS:
        return key, text
    if key == "pad" and text.isdigit() and int(text) <= 255:  # noqa: PLR2004  # a grey
        return key, int(text)
    if key in ("scale", "keep") and _NUMBERS.fullmatch(text) and "," not in text:
        number = float(text)
        if number > 0 and (key == "scale" or number <= 1):
            return key, number
    size = _SIZE.fullmatch(text)
    if key == "size" and size and all(0 < int(side) <= LARGEST_SIDE for side in size.groups()):
        return key, Size(int(size[1]), int(size[2]))
    raise ValueError(f"{word!r} is not understood; {ALLOWED}")


def _turned(three: Three) -> Three:
    first, second, third = three
    return (third, second, first)


def _times(three: Three, factor: float) -> Three:
    first, second, third = three
    return (first * factor, second * factor, third * factor)
