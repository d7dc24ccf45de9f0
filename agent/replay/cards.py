"""Draws a chosen capture as an HTML card: the image with its boxes, and the reasons."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from agent.dataset.drawing import drawing
from agent.dataset.small_image import small_image_url
from agent.errors import UnusableImage


def card(capture: Mapping[str, Any], dataset: Path, *, with_source: bool) -> str:
    """Return the card of a report's capture; raise `OSError` if the dataset lacks it.

    `with_source`: the page has several recordings, so each card names its own.
    """
    name = capture["id"]
    record = json.loads((dataset / "records" / f"{name}.json").read_text(encoding="utf-8"))
    source = f"{escape(capture['source'])}, " if with_source else ""
    reasons = "".join(
        f"<li><span>{escape(rule['name'])}</span> {rule['score']:.2f}</li>"
        for rule in capture["rules"]
    )
    return (
        f'<article><div class="image"><img alt="frame {capture["frame"]}" loading="lazy" '
        f'src="{_data_url(dataset / "images" / f"{name}.jpg")}">'
        f'{drawing(record)}</div><ul class="reasons">{reasons}</ul>'
        f'<p><b class="{escape(capture["lane"])}">'
        f"{escape(capture['lane'])}</b> {source}frame {capture['frame']} "
        f"at {capture['at']:.2f}\u00a0s, "
        f"adds {capture['added']:.2f} expected new failures, "
        f"purchased at {capture['purchased_at']:.2f}\u00a0s"
        f"{_classes(record)}</p></article>"
    )


def _data_url(path: Path) -> str:
    """Return an image, made smaller, as a data URL."""
    try:
        return small_image_url(path)
    except UnusableImage as exc:
        raise OSError(f"cannot read {path}: {exc}") from exc


def _classes(record: Mapping[str, Any]) -> str:
    """Return a classifier's output as HTML; empty for a detector."""
    classes = record.get("classes", [])
    words = ", ".join(f"{each['label']} {each['confidence']:.2f}" for each in classes)
    return f"<br>{escape(words)}" if words else ""
