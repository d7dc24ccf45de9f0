"""The frames with the most errors, drawn: objects that were missed, boxes that are wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from agent.dataset.small_image import small_image_url
from agent.errors import UnusableImage
from agent.evaluation.evaluation import Evaluation
from agent.evaluation.label_measures import missed_objects
from agent.evaluation.sample import BoxColumns, Integers
from agent.printable import printable
from agent.record.captions import Sides, places

MOST_FRAMES = 24

_LETTER = 0.62  # width of a letter as a share of its height
_LINE = 1.25  # height of a caption as a share of that of a letter
_MOST_BOXES = 60  # drawn in one frame; a crowd of more cannot be read
_CAPTION = 40  # characters


@dataclass(frozen=True, slots=True)
class WorstFrame:
    """One frame, with rows of the sample's detections and objects."""

    id: str
    frame: int  # its number in the sample
    right: Integers
    wrong: Integers
    missed: Integers


def worst_frames(evaluation: Evaluation, count: int = MOST_FRAMES) -> list[WorstFrame]:
    """Return the frames with the most errors at the thresholds in use, the worst first."""
    measured = evaluation.measured
    if measured is None:
        return []
    sample, matches = measured.sample, measured.matches
    is_reported = sample.reported.confidence >= sample.threshold
    is_right = is_reported & matches.hit[0]
    is_wrong = is_reported & ~matches.hit[0] & ~matches.ignored[0]
    is_missed = missed_objects(sample, matches)
    errors = np.bincount(sample.reported.frame[is_wrong], minlength=len(sample.ids))
    errors += np.bincount(sample.truth.frame[is_missed], minlength=len(sample.ids))
    order = np.argsort(-errors, kind="stable")[:count]
    return [
        WorstFrame(
            sample.ids[number],
            int(number),
            np.flatnonzero(is_right & (sample.reported.frame == number)),
            np.flatnonzero(is_wrong & (sample.reported.frame == number)),
            np.flatnonzero(is_missed & (sample.truth.frame == number)),
        )
        for number in order
        if errors[number]
    ]


def cards(evaluation: Evaluation, directory: Path) -> Iterator[str]:
    """Yield an HTML card for each of the worst frames; one without an image says so."""
    records = {each.id: each.record for each in evaluation.frames}
    for worst in worst_frames(evaluation):
        record = records[worst.id]
        image = record["image"]
        size = f'width="{image["width"]}" height="{image["height"]}"'
        try:
            url = small_image_url(directory / "images" / f"{worst.id}.jpg")
            shown = f'<img alt="capture {worst.id}" {size} src="{url}">'
        except (UnusableImage, OSError):
            shown = '<p class="no-image">The image cannot be read.</p>'
        drawn = "".join(_drawn(evaluation, worst, image["width"], image["height"]))
        errors = [f"{len(worst.missed)} missed"] * bool(len(worst.missed))
        errors += [f"{len(worst.wrong)} wrong"] * bool(len(worst.wrong))
        where = f"{record.get('camera', '')} {str(record.get('captured_at', ''))[:19]}"
        yield (
            f'<article><div class="image">{shown}<svg viewBox="0 0 {image["width"]} '
            f'{image["height"]}">{drawn}</svg></div><p><b>{", ".join(errors)}</b>, '
            f"{len(worst.right)} right<br>{escape(printable(where.strip(), 100))}<br>"
            f"<small>{worst.id}</small></p></article>"
        )


def _drawn(evaluation: Evaluation, worst: WorstFrame, width: int, height: int) -> Iterator[str]:
    measured = evaluation.measured
    assert measured is not None  # noqa: S101 (else there is no worst frame)
    sample = measured.sample
    rows: list[tuple[str, BoxColumns, int]] = [
        *(("missed", sample.truth, int(row)) for row in worst.missed),
        *(("wrong", sample.reported, int(row)) for row in worst.wrong),
        *(("right", sample.reported, int(row)) for row in worst.right),
    ]
    rows = rows[:_MOST_BOXES]
    size = width / 30
    sides = [_sides(boxes, row) for _, boxes, row in rows]
    for (kind, _, _), (left, top, right, bottom) in zip(
        reversed(rows), reversed(sides), strict=True
    ):
        yield (
            f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{max(right - left, 0):g}" '
            f'height="{max(bottom - top, 0):g}"/>'
        )
    words = [
        printable(_words(sample.labels[boxes.label[row]], kind, boxes.confidence[row]), _CAPTION)
        for kind, boxes, row in rows
    ]
    room = [(len(each) * size * _LETTER, size * _LINE) for each in words]
    for (kind, _, _), each, place in zip(
        rows, words, places(sides, room, width, height), strict=True
    ):
        if place is not None and kind != "right":
            yield (
                f'<text class="{kind}" x="{place[0]:.1f}" y="{place[1] + size:.1f}" '
                f'font-size="{size:.1f}">{escape(each)}</text>'
            )


def _sides(boxes: BoxColumns, row: int) -> Sides:
    left, top, right, bottom = (float(side) for side in boxes.box[row])
    return left, top, right, bottom


def _words(label: str, kind: str, confidence: float) -> str:
    return label if kind == "missed" else f"{label} {confidence:.2f}"
