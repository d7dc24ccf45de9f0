"""The sections of the health page: charts of a report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from agent.dataset.health.coverage import DAYS, HOURS
from agent.dataset.health.findings import ImagesByKey
from agent.dataset.health.gaps import LIGHTS, SIZES
from agent.dataset.health.objects import COUNTS_MAX
from agent.pages.charts import (
    Bar,
    Cell,
    Column,
    Part,
    bars,
    columns_of,
    grid,
    heat_map,
    histogram,
    number,
)
from agent.pages.text import html_of

_ALERTS_MAX = 15  # that are shown at once
_MAPS_MAX = 12  # maps of single classes
_CLASSES_MAX = 60  # bars of classes that are shown at once
_CAMERAS_MAX = 60
_SIZES_MAX = 10  # of images
_GROUPS_MAX = 12

Report = Mapping[str, Any]


def alert_list(report: Report, images: ImagesByKey) -> Iterator[str]:
    """Yield what to do, the most severe first."""
    yield "<section><h2>What to do</h2>"
    if not report["alerts"]:
        yield "<p>Nothing: no alert.</p>"
    first, rest = report["alerts"][:_ALERTS_MAX], report["alerts"][_ALERTS_MAX:]
    yield f'<ul class="alerts">{"".join(_alert(each, images) for each in first)}</ul>'
    if rest:
        inner = "".join(_alert(each, images) for each in rest)
        yield f"<details><summary>{len(rest)} more</summary>"
        yield f'<ul class="alerts">{inner}</ul></details>'
    yield "</section>"


def _alert(alert: Mapping[str, Any], images: ImagesByKey) -> str:
    inner = (
        f'<span class="severity">{html_of(alert["severity"])}</span>'
        f'<span class="name">{html_of(alert["text"])}</span>'
        f'<span class="advice">{html_of(alert["advice"])}</span>'
    )
    key = images.key(alert["key"])
    element = (
        f'<button type="button" data-images="{escape(key)}">{inner}</button>'
        if key
        else f"<div>{inner}</div>"
    )
    return f'<li class="{html_of(alert["severity"])}">{element}</li>'


def class_bars(report: Report, images: ImagesByKey) -> Iterator[str]:
    """Yield the objects of each class with its target."""
    classes = sorted(report["classes"], key=lambda each: -each["objects"])
    seen = [each for each in classes if each["objects"]]
    never = [each["label"] for each in classes if not each["objects"]]
    yield "<section><h2>Classes</h2>"
    yield (
        "<p>Objects of each class; the line is the target. Orange: less than a quarter of the most "
        "frequent class.</p>"
    )
    rows = [_class_bar(each, images) for each in seen]
    yield bars("Objects by class", rows[:_CLASSES_MAX])
    if rest := rows[_CLASSES_MAX:]:
        yield f"<details><summary>{len(rest)} rarer classes</summary>"
        yield bars("Objects of rarer classes", rest)
        yield "</details>"
    if never:
        names = html_of(", ".join(never))
        yield (
            f"<details><summary>{len(never)} classes were never seen</summary><p>{names}</p>"
            "</details>"
        )
    yield "</section>"


def _class_bar(each: Mapping[str, Any], images: ImagesByKey) -> Bar:
    kind = "value" if each["representation"] == "fair" else "warning"
    plural = "" if each["images"] == 1 else "s"
    words = f"{number(each['objects'])} in {number(each['images'])} image{plural}"
    if each["deficit"]:
        words += f", {number(each['deficit'])} missing"
    parts = (Part(each["objects"], kind, words),)
    key = images.key(f"class:{each['label']}")
    return Bar(each["label"], parts, words, mark=each["target"], key=key)


def place_maps(report: Report, images: ImagesByKey) -> Iterator[str]:
    """Yield where objects are, all together and by class."""
    maps: Mapping[str, list[list[int]]] = report["places"]["maps"]
    aspect = report["dimensions"]["median_ratio"] or 16 / 9
    counts = {label: sum(map(sum, rows)) for label, rows in maps.items()}
    if not counts.get(""):
        return
    order = sorted((label for label in maps if label), key=lambda label: -counts[label])
    yield "<section><h2>Places</h2>"
    yield (
        "<p>In which of 16 x 16 cells the centre of a box is. The colour follows the square root "
        'of the number, so that rare places can be seen.</p><div class="maps">'
    )
    for label in ["", *order[:_MAPS_MAX]]:
        cells = [
            [
                Cell(
                    count,
                    _place_words(count, row, column),
                    images.key(_place_key(row, column, label)),
                )
                for column, count in enumerate(line)
            ]
            for row, line in enumerate(maps[label])
        ]
        name = label or "all classes"
        yield (
            f"<figure>{heat_map(f'Places of {name}', cells, aspect=aspect)}<figcaption>"
            f"<b>{html_of(name)}</b> <small>{number(counts[label])} boxes</small></figcaption>"
            "</figure>"
        )
    yield "</div></section>"


def _place_words(count: int, row: int, column: int) -> str:
    return f"{count} boxes in row {row + 1}, column {column + 1}"


def _place_key(row: int, column: int, label: str) -> str:
    return f"place:{row}:{column}:{label}"


def sizes(report: Report, images: ImagesByKey) -> Iterator[str]:
    """Yield how large objects are, and how many are in an image."""
    found = report["sizes"]
    yield '<section><h2>Sizes and counts</h2><div class="pair"><div>'
    yield "<h3>Side of a box, as a share of the image's</h3>"
    edges = found["sides"]
    columns = list(columns_of(found["histogram"], edges, "boxes", _keys("side", images)))
    yield histogram("Sizes of boxes", columns, [number(edge) for edge in edges])
    yield "</div><div><h3>Objects of an image</h3>"
    counts = report["objects_per_image"]["histogram"]
    yield histogram(
        "Objects of an image",
        [
            Column(
                count,
                f"{place}{' or more' if place == COUNTS_MAX else ''} objects: {count} images",
                key=images.key(f"count:{place}"),
            )
            for place, count in enumerate(counts)
        ],
        [*(str(place) for place in range(COUNTS_MAX)), f"{COUNTS_MAX}+"],
    )
    yield "</div></div>"
    if found["labels"]:
        yield "<h3>Small (below 32 x 32 pixels), medium (below 96 x 96) and large, by COCO</h3>"
        labels = sorted(found["labels"].items(), key=lambda each: -sum(each[1].values()))
        rows = [("all", "", found["all"])] + [(label, label, each) for label, each in labels]
        yield grid(
            "Objects by class and size",
            SIZES,
            [
                (name, [_size_cell(name, label, size, each[size], images) for size in SIZES])
                for name, label, each in rows[:_CLASSES_MAX]
            ],
        )
    yield "</section>"


def _size_cell(name: str, label: str, size: str, count: int, images: ImagesByKey) -> Cell:
    return Cell(count, f"{name}, {size}: {count} objects", images.key(f"size:{size}:{label}"))


def pixels(report: Report, images: ImagesByKey) -> Iterator[str]:
    """Yield brightness, sharpness, issues and the shapes of images."""
    found, dimensions = report["quality"], report["dimensions"]
    yield '<section><h2>Light, sharpness and shape</h2><div class="pair">'
    for title, key, part in (
        ("Brightness, 0 to 1", "brightness", found["brightness"]),
        ("Sharpness (variance of the Laplacian)", "sharpness", found["sharpness"]),
        ("Width divided by height", "ratio", dimensions["ratios"]),
    ):
        edges = part["edges"]
        columns = list(columns_of(part["images"], edges, "images", _keys(key, images)))
        axis = [_short(edge) for edge in edges]
        if key != "brightness":
            axis[-1] = "more"
        yield f"<div><h3>{title}</h3>{histogram(title, columns, axis)}</div>"
    yield "</div><h3>Issues</h3>"
    levels = report["light"]["levels"]
    rows = [
        *(
            _count_bar(f"{name} on average", levels[name], f"light:{name}", images)
            for name in LIGHTS
        ),
        *(
            _count_bar(issue, count, f"issue:{issue}", images, kind="warning")
            for issue, count in found["issues"].items()
        ),
    ]
    yield bars("Light and issues", rows)
    yield "<h3>Sizes of images</h3>"
    yield bars(
        "Sizes of images",
        [
            _count_bar(
                f"{each['width']} x {each['height']}",
                each["images"],
                f"dimensions:{each['width']}x{each['height']}",
                images,
            )
            for each in dimensions["sizes"][:_SIZES_MAX]
        ],
    )
    yield "</section>"


def _short(edge: float) -> str:
    return f"{edge / 1000:g}k" if edge >= 1000 else number(edge)  # noqa: PLR2004


def coverage(report: Report, images: ImagesByKey) -> Iterator[str]:
    """Yield hours and days by camera, and what is missing."""
    found = report["coverage"]
    if not found["cameras"]:
        return
    yield "<section><h2>Hours, days and cameras</h2>"
    gaps = ", ".join(f"{gap['from']:02}:00 to {gap['to']:02}:00" for gap in found["gaps"])
    if found["hours"]:
        yield (
            f"<p>Times in {html_of(found['time_zone'])}, from {html_of(found['first'])} to "
            f"{html_of(found['last'])}. {'Without an image: ' + gaps if gaps else 'No gaps'}.</p>"
        )
    if found["not_synchronized"]:
        yield (
            f"<p>{number(found['not_synchronized'])} images are not in it: the clock was not "
            "synchronized.</p>"
        )
    for title, names, part, key, every in (
        ("Images by camera and hour", [f"{hour:02}" for hour in range(HOURS)], "hours", "hour", 3),
        ("Images by camera and day", [day[:3] for day in DAYS], "days", "day", 1),
    ):
        rows = list(found[part].items())[:_CAMERAS_MAX]
        if rows:
            yield f"<h3>{title}</h3>"
            yield grid(
                title,
                names,
                [
                    (
                        camera,
                        [
                            Cell(
                                count,
                                f"{camera}, {names[place]}: {count} images",
                                images.key(f"{key}:{place}:{camera}"),
                            )
                            for place, count in enumerate(counts)
                        ],
                    )
                    for camera, counts in rows
                ],
                every=every,
            )
    for title, part, key in (("Cameras", "cameras", "camera"), ("Devices", "devices", "device")):
        yield f"<h3>{title}</h3>"
        yield _tally(title, found[part], key, images)
    yield "</section>"


def duplicates(report: Report, images: ImagesByKey) -> Iterator[str]:
    """Yield near-duplicates and what leaks between splits."""
    found, leakage = report["duplicates"], report["leakage"]
    yield "<section><h2>Duplicates and leaks</h2>"
    rows = [_count_bar("exact copies", found["exact"], "exact", images, kind="warning")]
    rows += [
        _count_bar(f"near-duplicates {camera}", count, f"near:{camera}", images, kind="warning")
        for camera, count in found["near_by_camera"].items()
    ]
    yield bars("Duplicates", rows)
    groups = sorted(enumerate(found["near_groups"]), key=lambda each: (-len(each[1]), each[0]))
    if groups:
        yield "<h3>Largest groups of near-duplicates</h3>"
        yield bars(
            "Groups of near-duplicates",
            [
                _count_bar(f"group {rank}", len(group), f"near group:{place}", images)
                for rank, (place, group) in enumerate(groups[:_GROUPS_MAX], 1)
            ],
        )
    if leakage["splits"]:
        yield "<h3>Held-out images that nearly equal a training image</h3>"
        rows = [
            Bar(
                split,
                (Part(each["near"], "bad"), Part(each["images"] - each["near"], "soft")),
                f"{number(each['near'])} of {number(each['images'])}",
                key=images.key(f"leak:{split}"),
            )
            for split, each in leakage["splits"].items()
        ]
        yield bars("Leaks", rows)
    yield (
        f"<p>A random split would have such a copy for {leakage['near_at_random']:.0%} of its "
        "validation images.</p>"
    )
    yield from _seconds(leakage)
    yield "</section>"


def _seconds(leakage: Mapping[str, Any]) -> Iterator[str]:
    """Yield the share of held-out frames with a training frame near in time."""
    columns = {split: each["seconds"] for split, each in leakage["splits"].items()}
    columns["a random split"] = leakage["seconds_at_random"]
    columns = {name: shares for name, shares in columns.items() if shares}
    if not columns:
        return
    heads = "".join(f'<th scope="col">{html_of(name)}</th>' for name in columns)
    within = next(iter(columns.values()))
    rows = "".join(
        f"<tr><td>{html_of(seconds)} s</td>"
        + "".join(f"<td>{shares[seconds]:.0%}</td>" for shares in columns.values())
        + "</tr>"
        for seconds in within
    )
    yield "<h3>Held-out frames with a training frame of the same camera near in time</h3>"
    yield (
        f'<table class="plain"><thead><tr><th scope="col">within</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def tallies(report: Report, images: ImagesByKey) -> Iterator[str]:
    """Yield where labels come from, and why images were captured."""
    titles = {
        "split": "Splits",
        "origin": "Origin of the labels",
        "review": "Reviews",
        "lane": "Lanes",
        "rule": "Rules",
    }
    found = {kind: each for kind, each in report["tallies"].items() if each}
    if not found:
        return
    yield '<section><h2>Labels and captures</h2><div class="pair">'
    for kind, counts in found.items():
        title = titles[kind]
        yield f"<div><h3>{title}</h3>{_tally(title, counts, kind, images)}</div>"
    yield "</div></section>"


def problems(report: Report, images: ImagesByKey) -> Iterator[str]:
    """Yield what in the dataset cannot be used as it is."""
    if not report["problems"]:
        return
    yield "<section><h2>Problems of files and labels</h2>"
    yield bars(
        "Problems",
        [
            _count_bar(kind, count, f"problem:{kind}", images, kind="bad")
            for kind, count in report["problems"].items()
        ],
    )
    rows = report["problem_list"]
    yield f'<details><summary>The first {len(rows)}</summary><ul class="problems">'
    for each in rows:
        why = f": {html_of(each['why'])}" if each["why"] else ""
        yield f"<li><b>{html_of(each['kind'])}</b> {html_of(each['where'])}{why}</li>"
    yield "</ul></details></section>"


def _tally(title: str, counts: Mapping[str, int], kind: str, images: ImagesByKey) -> str:
    rows = [_count_bar(name, count, f"{kind}:{name}", images) for name, count in counts.items()]
    return bars(title, rows[:_CAMERAS_MAX])


def _count_bar(
    label: str, count: int, key: str, images: ImagesByKey, *, kind: str = "value"
) -> Bar:
    return Bar(label, (Part(count, kind),), number(count), key=images.key(key) if count else "")


def _keys(kind: str, images: ImagesByKey) -> Callable[[int], str]:
    """Return what gives the key of a bin's images."""
    return lambda place: images.key(f"{kind}:{place}")


SECTIONS: Sequence[Callable[[Report, ImagesByKey], Iterator[str]]] = (
    alert_list, class_bars, place_maps, sizes, pixels, coverage, duplicates, tallies, problems,
)  # fmt: skip
"""All sections, in order."""
