"""Makes the HTML page of a replay."""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from agent.pages.document import document, tiles
from agent.replay.cards import card
from agent.settings.units import show_duration

MOST_CARDS = 240
_MOST_LABELS = 8

Json = Mapping[str, Any]


def page_of(report: Json, dataset: Path) -> str:
    """Return the page of a report; raise `OSError` if its captures are not in `dataset`."""
    parts = [
        *_tiles(report),
        *_timelines(report),
        *_sheet(report, dataset),
        *_histograms(report),
        *_explained(report),
        *_foot(report),
    ]
    names = ", ".join(Path(source["source"]).name for source in report["sources"])
    return document(f"Replay of {names}", "What the agent would capture", names, parts)


def _tiles(report: Json) -> Iterator[str]:
    sources, captures = report["sources"], report["captures"]
    budget = report["settings"]["budget"]
    paid = budget * len(sources)
    seconds = round(sum(source["seconds"] for source in sources))
    frames = sum(source["frames"] for source in sources)
    random = report["captures_by_lane"].get("random", 0)
    spent = len(captures) - report["captures_by_lane"].get("auto", 0)
    share = f"{spent / paid:.0%} of {paid:g} credits" if paid else "no budget"
    held = sum(source["held"] for source in sources)
    yield from tiles(
        (
            (len(captures), "captures chosen", share),
            (
                report["frames_analysed"],
                "frames analysed",
                f"of {frames} in {show_duration(seconds)}",
            ),
            (held, "captures held", "no credit for the others" if paid else "all were chosen"),
            (random, "drawn at random", "an unbiased sample"),
            (f"{report['captures_per_day']:g}", "captures a day", "to expect for a camera"),
            (
                f"{report['mb_per_day']:.1f} MB",
                "sent a day",
                f"{report['stored_mb_per_day']:.1f} MB written to disk",
            ),
        )
    )


def _timelines(report: Json) -> Iterator[str]:
    yield "<section><h2>When, and by which rule</h2>"
    yield (
        '<p class="legend"><i class="score"></i>score lane <i class="random"></i>random lane '
        '<i class="interval"></i>every nth frame</p>'
    )
    for source in report["sources"]:
        own = [c for c in report["captures"] if c["source"] == source["source"]]
        rules: dict[str, int] = {}
        for capture in own:
            for rule in capture["rules"]:
                rules[rule["name"]] = rules.get(rule["name"], 0) + 1
        if len(report["sources"]) > 1:
            yield f"<h3>{escape(source['source'])}</h3>"
        yield '<div class="timeline">'
        for name, count in sorted(rules.items(), key=lambda item: (-item[1], item[0])):
            yield f"<span>{escape(name)} <small>{count}</small></span>{_track(own, name, source)}"
        end = f"{source['seconds']:.1f} s"
        yield f'<span></span><div class="axis"><span>0 s</span><span>{end}</span></div></div>'
        if not own:
            yield "<p>Nothing was captured.</p>"
    yield "</section>"


def _track(captures: list[Json], rule: str, source: Json) -> str:
    """Return one rule's captures on a time axis, placed in % of the width to fit any screen."""
    seconds = source["seconds"] or 1.0
    marks = "".join(
        f'<circle class="{escape(capture["lane"])}" cx="{_share(capture["at"] / seconds)}" '
        f'cy="11" r="5"><title>frame {capture["frame"]}, {capture["at"]:.2f} s, '
        f"{capture['value']:.2f} expected new failures</title></circle>"
        for capture in captures
        if any(each["name"] == rule for each in capture["rules"])
    )
    return f'<svg class="track" role="img" aria-label="{escape(rule)} over time">{marks}</svg>'


def _share(part: float) -> str:
    # A margin at both ends, so that no mark is cut.
    return f"{1 + 98 * min(max(part, 0.0), 1.0):.2f}%"


def _sheet(report: Json, dataset: Path) -> Iterator[str]:
    captures = report["captures"]
    yield "<section><h2>Chosen captures, in the order of purchase</h2>"
    yield (
        '<p class="legend"><i class="certain"></i>at or above the threshold '
        '<i class="suspect"></i>suspects: the model is probably wrong here</p><div class="sheet">'
    )
    for capture in captures[:MOST_CARDS]:
        yield card(capture, dataset, with_source=len(report["sources"]) > 1)
    yield "</div>"
    if len(captures) > MOST_CARDS:
        yield f"<p>{len(captures) - MOST_CARDS} more are in the dataset folder.</p>"
    yield "</section>"


def _histograms(report: Json) -> Iterator[str]:
    confidences = report["confidences"]
    yield "<section><h2>Confidences of the model</h2>"
    yield from (f"<p><b>{escape(warning)}</b></p>" for warning in report["warnings"])
    yield (
        "<p>Over all analysed frames; the height of a bar is the square root of its count, so that "
        'rare confidences can be seen. The line is the threshold.</p><div class="histograms">'
    )
    for label, counts in list(confidences.items())[:_MOST_LABELS]:
        threshold = report["settings"]["thresholds"].get(label, report["settings"]["threshold"])
        yield f"<figure>{_bars(label, counts, threshold)}<figcaption>"
        yield f"<b>{escape(label)}</b> <small>{sum(counts)} times</small></figcaption></figure>"
    yield "</div>"
    if len(confidences) > _MOST_LABELS:
        rest = list(confidences)[_MOST_LABELS:]
        yield f"<p><small>Rarer: {escape(', '.join(rest))}</small></p>"
    if not confidences:
        yield "<p>The model detected nothing.</p>"
    yield "</section>"


def _bars(label: str, counts: list[int], threshold: float) -> str:
    width, height = 200.0, 70.0
    step = width / len(counts)
    most = max(counts) or 1
    bars = []
    for place, count in enumerate(counts):
        tall = height * (count / most) ** 0.5
        kind = "certain" if place >= threshold * len(counts) - 1e-9 else "uncertain"
        bars.append(
            f'<rect class="{kind}" x="{place * step + 0.5:.1f}" y="{height - tall:.1f}" '
            f'width="{step - 1:.1f}" height="{tall:.1f}"><title>{place / len(counts):.2f} to '
            f"{(place + 1) / len(counts):.2f}: {count}</title></rect>"
        )
    line = threshold * width
    return (
        f'<svg viewBox="0 0 {width:g} {height + 14:g}" role="img" aria-label="{escape(label)}">'
        f"{''.join(bars)}"
        f'<line class="base" x1="0" x2="{width:g}" y1="{height:g}" y2="{height:g}"/>'
        f'<line class="limit" x1="{line:.1f}" x2="{line:.1f}" y1="0" y2="{height:g}"/>'
        f'<text x="0" y="{height + 11:g}">0</text>'
        f'<text x="{line:.1f}" y="{height + 11:g}" text-anchor="middle">{threshold:g}</text>'
        f'<text x="{width:g}" y="{height + 11:g}" text-anchor="end">1</text></svg>'
    )


def _explained(report: Json) -> Iterator[str]:
    if not report["explained"]:
        return
    yield "<section><h2>Why, and why not</h2>"
    for each in report["explained"]:
        where = f"Frame {each['frame']} of {escape(each['source'])}"
        yield f"<h3>{where}: {escape(each['outcome'])}</h3>"
        yield f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in each['why'])}</ul>"
    yield "</section>"


def _foot(report: Json) -> Iterator[str]:
    settings, model = report["settings"], report["model"]
    fps = f"{settings['fps']:g} frames a second" if settings["fps"] else "each frame"
    budget = f"{settings['budget']:g} credits a recording" if settings["budget"] else "no budget"
    yield (
        f"<footer>Model {escape(model['name'])} ({escape(model['sha256'][:12])}), {fps}, {budget}, "
        f"threshold {settings['threshold']:g}, rules {escape(', '.join(settings['rules']))}. "
        f"A recording counts as one day of one camera. capture-agent {escape(report['agent'])}"
        "</footer>"
    )
