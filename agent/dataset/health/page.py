"""Makes the health page: charts whose parts open the images behind them, without a server.

The page of a folder links thumbnails beside it and the images of the dataset. A page of one file
has the thumbnails of some images in it.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.dataset.health.examine import Examined
from agent.dataset.health.page_script import PAGE_STYLE, SCRIPT, VIEWER
from agent.dataset.health.page_sections import SECTIONS
from agent.dataset.health.report import Health
from agent.files import Disk
from agent.pages.chart_style import CHART_STYLE
from agent.pages.charts import number
from agent.pages.document import document, tiles
from agent.printable import printable

_SCALE = 10_000  # of the shares in the data of the script
_BOXES_MAX = 300  # drawn on one thumbnail
_INSIDE_A_KEY = 8  # images behind one figure of a page of one file
_INSIDE_MAX = 600  # images in a page of one file
_FILES = "data: 'self' file:"


def folder_page(health: Health, out: Path) -> str:
    """Return the page that will be `out/index.html`: it links thumbnails and images."""
    images = [_entry(each, each.thumbnail, _link(each, out)) for each in health.examined]
    return _page(health, images, health.images.all(), {}, _FILES)


def single_page(health: Health, out: Path, disk: Disk) -> str:
    """Return a page of one file, with the thumbnails below `out` of a few images of each figure.

    Raises `OSError` if a thumbnail cannot be read.
    """
    every = health.images.all()
    chosen: dict[int, int] = {}  # place in the page, by number of the image
    keys: dict[str, list[int]] = {}
    for key, numbers in every.items():
        kept = [n for n in numbers if n in chosen or len(chosen) < _INSIDE_MAX][:_INSIDE_A_KEY]
        for image in kept:
            chosen.setdefault(image, len(chosen))
        keys[key] = [chosen[image] for image in kept]
    images = []
    for place in chosen:
        each = health.examined[place]
        url = ""
        if each.thumbnail:
            data = base64.b64encode(disk.read(out / each.thumbnail)).decode()
            url = f"data:image/jpeg;base64,{data}"
        images.append(_entry(each, url, ""))
    return _page(
        health, images, keys, {key: len(numbers) for key, numbers in every.items()}, "data:"
    )


def _page(
    health: Health,
    images: Sequence[dict[str, Any]],
    keys: Mapping[str, Sequence[int]],
    totals: Mapping[str, int],
    sources: str,
) -> str:
    report = health.report
    labels = list(dict.fromkeys(name for each in images for name, *_ in each["o"]))
    numbers = {label: place for place, label in enumerate(labels)}
    for each in images:
        each["o"] = [[numbers[name], *sides] for name, *sides in each["o"]]
    parts = [*_tiles(report), *(text for make in SECTIONS for text in make(report, health.images))]
    name = printable(report["dataset"])
    about = f"{name}, checked {report['made_at']} by capture-agent {report['agent']}"
    return document(
        f"Health of {name}",
        "Health of the dataset",
        about,
        [*parts, VIEWER],
        style=CHART_STYLE + PAGE_STYLE,
        script=SCRIPT,
        data={
            "images": images,
            "keys": keys,
            "totals": totals,
            "labels": labels,
            "titles": [printable(label) for label in labels],
        },
        image_sources=sources,
    )


def _tiles(report: Mapping[str, Any]) -> list[str]:
    images, alerts = report["images"], report["alerts"]
    seen = sum(each["objects"] > 0 for each in report["classes"])
    high = sum(alert["severity"] == "high" for alert in alerts)
    near = report["duplicates"]["near"] + report["duplicates"]["exact"]
    share = images["empty_share"]
    mean = report["objects_per_image"]["mean"]
    return list(
        tiles(
            (
                (
                    number(images["total"]),
                    "images",
                    f"{number(images['readable'])} readable",
                ),
                (
                    number(images["objects"]),
                    "objects",
                    "none" if mean is None else f"{number(mean)} an image",
                ),
                (seen, "classes seen", f"of {len(report['classes'])}"),
                (
                    "unknown" if share is None else f"{share:.0%}",
                    "empty images",
                    f"{number(images['empty'])} of {number(images['labels_known'])}",
                ),
                (number(near), "duplicates", "exact and near; one of each group stays"),
                (len(alerts), "alerts", f"{high} of high severity"),
            )
        )
    )


def _entry(each: Examined, thumbnail: str, link: str) -> dict[str, Any]:
    """Return what the script knows of an image; `o` has label and sides of each object."""
    image = each.image
    boxes = [
        [one.label, *(round(min(max(side, 0.0), 1.0) * _SCALE) for side in one.box)]
        for one in (image.objects or ())[:_BOXES_MAX]
    ]
    entry = {"n": printable(image.name), "c": _caption(each), "t": thumbnail, "f": link, "o": boxes}
    if each.facts is not None:
        return {**entry, "w": each.facts.width, "h": each.facts.height}
    return {**entry, "y": each.why or "the file is missing"}


def _caption(each: Examined) -> str:
    image = each.image
    parts = [image.split, image.origin, image.review, image.lane]
    if image.moment is not None:
        parts.append(image.moment.camera)
    if image.objects is None:
        parts.append("objects unknown")
    else:
        labels = sorted(image.labels)
        parts.append(", ".join(labels) if labels else "empty")
    return printable(" · ".join(part for part in parts if part))


def _link(each: Examined, out: Path) -> str:
    """Return the address of an image from the page's folder."""
    relative = os.path.relpath(each.image.path, out)
    return quote(relative, safe="/", errors="surrogateescape")
