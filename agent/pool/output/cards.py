"""Draws a chosen image as an HTML card: its boxes, and in words why it was chosen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from agent.dataset.drawing import drawing
from agent.printable import printable

CARD_STYLE = """
.sheet article{display:flex;flex-direction:column}
.image.blank{aspect-ratio:var(--aspect);background:#23272b}
.order{position:absolute;left:.4rem;top:.4rem;background:#000b;color:#fff;border-radius:.3rem;
padding:.25rem .5rem;font:600 .8rem/1 system-ui,sans-serif;font-variant-numeric:tabular-nums}
.adds{margin:.55rem .7rem 0!important;font-size:.9rem!important;color:var(--ink)!important}
.adds b{color:var(--score);font-variant-numeric:tabular-nums}
.why{list-style:none;margin:.2rem .7rem .1rem;padding:0;font-size:.82rem;line-height:1.35}
.why li{padding:.12rem 0 .12rem .7rem;border-left:3px solid var(--uncertain);margin:.25rem 0}
.why small{display:block}
article p.key{margin-top:auto;padding-top:.4rem;overflow-wrap:anywhere;font-size:.75rem}
"""

_MOST_REASONS = 4
_LEAST_ADDED = 0.005  # less rounds to nothing
_SIDES = {
    "above": "perhaps false",
    "below": "perhaps missed",
    "frame": "the whole image",
}

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """What a card shows of a capture."""

    record: Json
    url: str = ""  # a data URL; empty where the image was not fetched


def card(image: Json, thumbnail: Thumbnail) -> str:
    """Return the card of an image of the report."""
    width, height = image["width"], image["height"]
    alt = f"image {image['order']}"
    if thumbnail.url:
        shown = f'<div class="image"><img alt="{alt}" loading="lazy" src="{thumbnail.url}">'
    else:
        shown = f'<div class="image blank" style="--aspect:{width}/{height}">'
    return (
        f"<article>{shown}{drawing(_drawn(image, thumbnail))}"
        f'<span class="order">{image["order"]}</span></div>'
        f'<p class="adds"><b>+{image["value"]:.2f}</b> expected new failures</p>'
        f'<ul class="why">{"".join(_reasons(image))}</ul>'
        f'<p class="key">{escape(printable(image["camera"]))}<br>{escape(_name(image))}'
        f"{_classes(thumbnail.record)}</p></article>"
    )


def _drawn(image: Json, thumbnail: Thumbnail) -> Json:
    """Return what is drawn: the model's objects, and the suspects of the choice."""
    record = thumbnail.record
    stored = record["image"]
    width, height = stored["width"], stored["height"]
    suspects = [
        {
            **each,
            "box": None
            if each["box"] is None
            else [side * (height if n % 2 else width) for n, side in enumerate(each["box"])],
        }
        for each in image["suspects"]
        if each["added"] >= _LEAST_ADDED
    ]
    return {**record, "suspects": suspects}


def _reasons(image: Json) -> Iterator[str]:
    shown = [each for each in image["suspects"] if each["added"] >= _LEAST_ADDED]
    for each in shown[:_MOST_REASONS]:
        label = escape(printable(each["label"])) if each["label"] else "Something"
        why = escape(printable(each["reason"] or each["rule"].replace("_", " ")))
        yield (
            f"<li><b>{label}</b>, {_SIDES.get(each['side'], '')}: adds {each['added']:.2f}"
            f"<small>{why} (p {each['p']:.2f})</small></li>"
        )
    if len(shown) > _MOST_REASONS:
        rest = sum(each["added"] for each in shown[_MOST_REASONS:])
        yield f"<li>{len(shown) - _MOST_REASONS} more add {rest:.2f}</li>"
    if not shown:
        yield "<li>No rule names a suspect; it looks unlike the others.</li>"


def _name(image: Json) -> str:
    """Return the name of the file, and the frame of a recording."""
    key = image["key"]
    frame = image["frame"]
    if frame is not None:
        key = key.removesuffix(f"#{frame}")
    name = printable(key.rpartition("/")[2] or key)
    return name if frame is None else f"{name}, frame {frame}"


def _classes(record: Json) -> str:
    """Return a classifier's output as HTML; empty for a detector."""
    classes = record.get("classes", [])
    words = ", ".join(f"{each['label']} {each['confidence']:.2f}" for each in classes)
    return f"<br>{escape(printable(words))}" if words else ""
