"""Writes a choice: captures or ids, the page, and last the report."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, closing
from typing import Any, Protocol

from agent.dataset.small_image import small_url_of
from agent.errors import ConfigurationError, UnusableImage
from agent.pool.output.captures import CaptureMaker, OutputCapture
from agent.pool.output.cards import Thumbnail
from agent.pool.output.chosen import ChosenImage
from agent.pool.output.ids import ids_text
from agent.pool.output.page import MOST_CARDS, page_of
from agent.printable import printable

IDS = "ids.txt"
PAGE = "report.html"
REPORT = "report.json"

_THUMBNAIL_WIDTH = 420  # pixels: 200 of them make a page of some megabytes

MakesReport = Callable[[Sequence[ChosenImage], Mapping[str, str]], dict[str, Any]]
"""Makes the report of the images that were stored; and of those that could not be, with why."""


class Output(Protocol):
    """Where a choice is written. Every method may raise what the command shows."""

    def owned(self) -> AbstractContextManager[None]:
        """Keep other calls out within the block, where that is possible."""

    def begin(self, chosen: AbstractSet[str]) -> None:
        """Make room for the captures with these ids."""

    def store(
        self, captures: Iterable[OutputCapture], progress: Callable[[int], object]
    ) -> dict[str, str]:
        """Store captures; return the keys of those that cannot be stored, with the reason."""

    def copy(self, chosen: ChosenImage) -> bool:
        """Copy the image of a capture without reading it; return whether that was possible."""

    def unchanging(self, ids: AbstractSet[str]) -> AbstractSet[str]:
        """Return those of `ids` that an earlier call stored for good: they are not stored again."""

    def stored(self, ids: AbstractSet[str]) -> AbstractSet[str]:
        """Return those of `ids` that an earlier call stored: they need not be read again."""

    def finish(self, chosen: AbstractSet[str]) -> None:
        """Note that these captures are all of the choice."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file beside the captures, in place of one that is there."""

    def remove(self, name: str) -> None:
        """Remove such a file of a former call."""


def write_captures(
    output: Output,
    chosen: Sequence[ChosenImage],
    maker: CaptureMaker,
    make_report: MakesReport,
    progress: Callable[[int], object],
) -> dict[str, Any]:
    """Store the chosen images, and write report and page; return the report.

    Raises `ConfigurationError` if none of them can be read any more.
    """
    output.begin({each.row.id for each in chosen})
    thumbnails: dict[str, Thumbnail] = {}
    kept = output.unchanging({each.row.id for each in chosen[MOST_CARDS:]})
    missing = [each for each in chosen if each.row.id not in kept]

    def copied(each: ChosenImage) -> bool:
        """Copy the image of a capture that is not on the page: nothing here must see it."""
        return each.order > MOST_CARDS and output.copy(each)

    def done(count: int) -> None:
        progress(len(chosen) - len(missing) + count)

    with closing(maker.captures(missing, copied)) as captures:  # else threads would wait for ever
        problems = output.store(_seen(captures, thumbnails), done)
    problems |= maker.problems
    kept = output.stored({each.row.id for each in chosen if each.row.key in problems})
    problems = {
        each.row.key: problems[each.row.key]
        for each in chosen
        if each.row.key in problems and each.row.id not in kept
    }
    stored = [each for each in chosen if each.row.key not in problems]
    if chosen and not stored:
        key, why = next(iter(problems.items()))
        raise ConfigurationError(
            f"cannot store the chosen images: none can be read any more, such as "
            f"{printable(key, 500)}: {printable(why)}; bring the sources back and call it again"
        )
    output.finish({each.row.id for each in stored})
    output.remove(IDS)
    return _reported(output, make_report(stored, problems), thumbnails)


def write_ids(
    output: Output, chosen: Sequence[ChosenImage], make_report: MakesReport
) -> dict[str, Any]:
    """Write the ids of the chosen images, report and page; no image is read."""
    output.begin(set())
    output.finish(set())
    output.write(IDS, ids_text(chosen).encode())
    thumbnails = {
        each.row.id: Thumbnail(json.loads(each.row.record)) for each in chosen[:MOST_CARDS]
    }
    return _reported(output, make_report(chosen, {}), thumbnails)


def _reported(
    output: Output, report: dict[str, Any], thumbnails: Mapping[str, Thumbnail]
) -> dict[str, Any]:
    output.write(PAGE, page_of(report, thumbnails).encode(errors="replace"))
    output.write(REPORT, report_text(report).encode(errors="replace"))
    return report


def report_text(report: Mapping[str, Any]) -> str:
    """Return the report as it is written and printed."""
    return json.dumps(report, ensure_ascii=False, indent=1) + "\n"


def _seen(
    captures: Iterable[OutputCapture], thumbnails: dict[str, Thumbnail]
) -> Iterator[OutputCapture]:
    """Pass captures on, and make what the page shows of the first ones."""
    for capture in captures:
        if capture.image and capture.chosen.order <= MOST_CARDS:
            try:
                url = small_url_of(capture.image, width=_THUMBNAIL_WIDTH)
            except UnusableImage:
                url = ""
            thumbnails[capture.chosen.row.id] = Thumbnail(json.loads(capture.record), url)
        yield capture
