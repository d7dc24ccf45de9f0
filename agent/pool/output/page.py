"""Makes the HTML page of a pool: one file, which loads nothing from elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from agent.pages.chart_style import CHART_STYLE
from agent.pages.charts import Bar, Part, bars, number
from agent.pages.document import document, tiles
from agent.pool.output.cards import CARD_STYLE, Thumbnail, card
from agent.pool.output.value_curve import CURVE_STYLE, value_curve
from agent.printable import printable

MOST_CARDS = 200
"""Images that are shown: some 25 kB each."""

_MOST_ROWS = 10  # of a chart
_MOST_NAMED = 100  # unreadable images

_STYLE = """
.columns-2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));
gap:0 1.2rem}
.names{font-size:.82rem;padding-left:1.1rem;overflow-wrap:anywhere}
.names small{display:block}
code{font:.92em/1.4 ui-monospace,"DejaVu Sans Mono",Menlo,monospace;overflow-wrap:anywhere}
"""

Json = Mapping[str, Any]


def page_of(report: Json, thumbnails: Mapping[str, Thumbnail]) -> str:
    """Return the page of a report; `thumbnails` are by id, those of the first `MOST_CARDS`."""
    sources = ", ".join(printable(each["source"]) for each in report["sources"])
    parts = [
        *_tiles(report),
        *_warnings(report),
        *_curve(report),
        *_shares(report),
        *_sheet(report, thumbnails),
        *_left_out(report),
        *_foot(report),
    ]
    return document(
        f"Pool: {report['chosen']} of {report['images']} images",
        "The images that would show the most failures",
        sources,
        parts,
        style=CHART_STYLE + CURVE_STYLE + CARD_STYLE + _STYLE,
    )


def _tiles(report: Json) -> Iterator[str]:
    failures, best = report["expected_failures"], report["most_possible"]
    cameras = sum(each["chosen"] > 0 for each in report["cameras"])
    yield from tiles(
        (
            (number(report["chosen"]), "images chosen", f"of {number(report['images'])} analysed"),
            (number(failures, 1), "failures expected", "that their labels show for the first time"),
            (
                f"{failures / best:.0%}" if best else "100%",
                "of the best possible",
                "at least, by a bound on any choice",
            ),
            (
                number(cameras),
                "camera" if cameras == 1 else "cameras",
                f"of {number(len(report['cameras']))}",
            ),
            (
                number(report["near_duplicates"]),
                "near-duplicates",
                "left out: an image like them was chosen",
            ),
            (number(report["unreadable"]), "unreadable", "listed below"),
        )
    )


def _warnings(report: Json) -> Iterator[str]:
    for warning in report["warnings"]:
        yield f"<p><b>{escape(warning)}</b></p>"


def _curve(report: Json) -> Iterator[str]:
    values = [each["value"] for each in report["images_chosen"]]
    if not values:
        return
    yield "<section><h2>What each further image adds</h2>"
    yield f"<p>{escape(_share_words(values))}</p>"
    yield f"<figure>{value_curve(values, report['next_values'])}</figure></section>"


def _share_words(values: Sequence[float]) -> str:
    """Return how the value is spread over the order, in a sentence."""
    total = sum(values)
    if total <= 0:
        return "No rule names a suspect in these images."
    reached, sum_so_far = len(values), 0.0
    for place, value in enumerate(values, 1):
        sum_so_far += value
        if sum_so_far >= total / 2:
            reached = place
            break
    first = "The first image shows" if reached == 1 else f"The first {reached} images show"
    return (
        f"{first} half of the {number(total, 1)} failures that all {len(values)} are expected to "
        "show. Where the curve is near the ground, further labels show little."
    )


def _shares(report: Json) -> Iterator[str]:
    yield '<div class="columns-2">'
    cameras = [each for each in report["cameras"] if each["chosen"]]
    yield from _bars(
        "By camera",
        "chosen images, of those analysed",
        [
            Bar(
                printable(each["camera"], 80),
                (Part(each["chosen"], "second"),),
                f"{number(each['chosen'])} of {number(each['images'])}",
            )
            for each in cameras
        ],
        f"{_count(len(report['cameras']) - len(cameras), 'camera')} without a chosen image",
    )
    yield from _bars(
        "By class",
        "expected failures; an image counts for the class that adds most to it",
        [
            Bar(
                printable(each["label"] or "no class", 80),
                (Part(each["expected_failures"], "value"),),
                _expected(each),
            )
            for each in report["classes"]
        ],
    )
    yield from _bars(
        "By rule",
        "expected failures; an image may have suspects of several rules",
        [
            Bar(
                printable(each["rule"].replace("_", " "), 80),
                (Part(each["expected_failures"], "third"),),
                _expected(each),
            )
            for each in report["rules"]
        ],
    )
    yield "</div>"


def _expected(each: Json) -> str:
    figure = number(each["expected_failures"], 1)
    return f"{figure} in {_count(each['chosen'], 'image')}" if each["chosen"] else figure


def _count(number_of: int, what: str) -> str:
    return f"{number(number_of)} {what}{'' if number_of == 1 else 's'}"


def _bars(title: str, about: str, rows: Sequence[Bar], rest: str = "") -> Iterator[str]:
    if not rows:
        return
    yield f"<section><h2>{escape(title)}</h2><p><small>{escape(about)}</small></p>"
    yield bars(title, rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        rest = f"{len(rows) - _MOST_ROWS} more are in report.json"
    if rest and not rest.startswith("0 "):
        yield f"<p><small>{escape(rest)}.</small></p>"
    yield "</section>"


def _sheet(report: Json, thumbnails: Mapping[str, Thumbnail]) -> Iterator[str]:
    images = report["images_chosen"]
    yield "<section><h2>Chosen images, the most valuable first</h2>"
    yield (
        '<p class="legend"><i class="certain"></i>at or above the threshold '
        '<i class="suspect"></i>suspects: the model is probably wrong here</p><div class="sheet">'
    )
    shown = [each for each in images[:MOST_CARDS] if each["id"] in thumbnails]
    for image in shown:
        yield card(image, thumbnails[image["id"]])
    yield "</div>"
    if len(images) > len(shown):
        yield f"<p>{number(len(images) - len(shown))} more are in report.json.</p>"
    yield "</section>"


def _left_out(report: Json) -> Iterator[str]:
    chosen, most = (
        number(each) for each in (report["degraded_chosen"], report["settings"]["degraded"])
    )
    dark = f"dark, overexposed or blurred: {chosen} such are chosen, of at most {most}"
    facts = [
        (report["near_duplicates"], "nearly identical to a chosen image, on whichever camera"),
        (report["shown_before"], "chosen or labelled before (--after)"),
        (report["unusable"], "black, covered or frozen"),
        (report["degraded"] - report["degraded_chosen"], dark),
    ]
    lines = [f"<li><b>{number(count)}</b> {escape(words)}</li>" for count, words in facts if count]
    for name, count in report["other_models"].items():
        lines.append(
            f"<li><b>{number(count)}</b> captures of another model, {escape(printable(name))}: "
            "analysed again with this one</li>"
        )
    if lines:
        yield f'<section><h2>Left out, or analysed again</h2><ul class="names">{"".join(lines)}'
        yield "</ul></section>"
    unreadable = report["images_unreadable"]
    if unreadable:
        yield f"<section><h2>Unreadable images: {number(len(unreadable))}</h2>"
        yield '<ul class="names">'
        for each in unreadable[:_MOST_NAMED]:
            yield (
                f"<li><code>{escape(printable(each['key'], 500))}</code>"
                f"<small>{escape(printable(each['problem']))}</small></li>"
            )
        yield "</ul>"
        if len(unreadable) > _MOST_NAMED:
            rest = len(unreadable) - _MOST_NAMED
            yield f"<p>{number(rest)} more are in report.json.</p>"
        yield "</section>"


def _foot(report: Json) -> Iterator[str]:
    settings, model = report["settings"], report["model"]
    bounds = []
    if settings["per_camera"]:
        bounds.append(f"at most {settings['per_camera']} of a camera")
    if settings["per_class"]:
        named = ", ".join(
            f"{printable(name)} {most}" if name else f"{most} each"
            for name, most in settings["per_class"].items()
        )
        bounds.append(f"at most of a class: {named}")
    if settings["feedback"]:
        bounds.append(f"feedback {settings['feedback'][:12]}")
    yield (
        f"<footer>Model {escape(printable(model['name']))} ({escape(model['sha256'][:12])}), "
        f"threshold {settings['threshold']:g}, rules {escape(', '.join(settings['rules']))}"
        f"{escape('; ' + ', '.join(bounds)) if bounds else ''}. "
        f"capture-agent {escape(report['agent'])}</footer>"
    )
