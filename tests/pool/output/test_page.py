"""The report says what was chosen; its page loads nothing, and shows foreign text as text."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

from agent.domain import ModelInfo, Task
from agent.pool.choices import Choice
from agent.pool.items import ItemKind
from agent.pool.output.cards import Thumbnail
from agent.pool.output.chosen import ChosenImage
from agent.pool.output.counts import PoolCounts
from agent.pool.output.ids import ids_text
from agent.pool.output.page import MOST_CARDS, page_of
from agent.pool.output.report import report_of
from agent.pool.output.value_curve import value_curve
from agent.pool.rows import PoolRow
from agent.pool.sources.found import SourceSummary
from tests.pages_read import HTML_LABEL, Page
from tests.pool.output.chosen_images import chosen_image

SETTINGS = {
    "take": 2,
    "per_camera": 3,
    "per_class": {"": 5, HTML_LABEL: 2},
    "feedback": "ab" * 32,
    "degraded": 1,
    "threshold": 0.5,
    "rules": ["low_confidence", HTML_LABEL],
}


def report_on(
    chosen: Sequence[ChosenImage], *, problems: dict[str, str] | None = None, **choice: Any
) -> dict[str, Any]:
    counts = PoolCounts()
    for each in chosen:
        counts.add(each.row)
    counts.add(PoolRow("/pool/x.jpg", camera=HTML_LABEL, is_unusable=True, other_model=HTML_LABEL))
    for key, why in (problems or {}).items():
        counts.add(PoolRow(key, problem=why))
    return report_of(
        [SourceSummary(HTML_LABEL)],
        chosen,
        counts,
        Choice((), **{"most": 9.0, "near_duplicates": 4, "following": (0.2, 0.1), **choice}),
        model=ModelInfo("model", "cd" * 32, Task.DETECT, "cpu", ()),
        settings=SETTINGS,
        lost={},
        warnings=[HTML_LABEL],
    )


def thumbnails_of(chosen: Sequence[ChosenImage]) -> dict[str, Thumbnail]:
    return {each.row.id: Thumbnail(json.loads(each.row.record)) for each in chosen}


def page_on(report: dict[str, Any], chosen: Sequence[ChosenImage]) -> tuple[Page, str]:
    html = page_of(report, thumbnails_of(chosen))
    page = Page()
    page.feed(html)
    return page, html


def test_the_page_shows_foreign_texts_as_texts_and_loads_nothing() -> None:
    chosen = [chosen_image(1, label=HTML_LABEL, value=1.5), chosen_image(2, order=2)]
    page, _ = page_on(report_on(chosen, problems={HTML_LABEL: HTML_LABEL}), chosen)

    assert "script" not in page.tags
    assert page.sources == []
    assert page.text.count(HTML_LABEL) >= 6


def test_the_page_has_no_more_images_than_can_be_looked_at() -> None:
    chosen = [chosen_image(n, order=n, value=1 / n) for n in range(1, MOST_CARDS + 51)]
    page, html = page_on(report_on(chosen), chosen)

    assert page.tags.count("article") == MOST_CARDS
    assert "50 more are in report.json" in page.text
    assert html.count("<polyline") == 2


def test_the_report_adds_up() -> None:
    chosen = [chosen_image(1, value=1.5), chosen_image(2, order=2, value=0.25, label="person")]
    report = report_on(chosen, problems={"/pool/b.jpg": "damaged", "/pool/a.jpg": "empty"})

    assert (report["images"], report["unreadable"], report["unusable"]) == (3, 2, 1)
    assert report["expected_failures"] == 1.75
    assert [each["key"] for each in report["images_unreadable"]] == ["/pool/a.jpg", "/pool/b.jpg"]
    assert [(each["label"], each["chosen"]) for each in report["classes"]] == [
        ("car", 1),
        ("person", 1),
    ]
    assert [each["chosen"] for each in report["cameras"]] == [2, 0]
    assert [each["order"] for each in report["images_chosen"]] == [1, 2]


def test_an_empty_choice_has_a_page() -> None:
    page, _ = page_on(report_on([], most=0.0), [])

    assert "images chosen" in page.text


def test_the_curve_is_valid_for_any_values() -> None:
    for values, following in (
        ([0.0], []),
        ([0.0, 0.0], [0.0]),
        ([3.0] * 5000, [1.0] * 20),
        ([1e-12], []),
    ):
        ET.fromstring(value_curve(values, following))


def test_ids_are_grouped_by_device_and_images_without_one_come_last() -> None:
    chosen = [
        chosen_image(1, device="b"),
        chosen_image(2, order=2, kind=ItemKind.IMAGE),
        chosen_image(3, order=3, device="a\nx"),
        chosen_image(4, order=4, device="b"),
    ]
    ids = [each.row.id for each in chosen]

    assert ids_text(chosen).splitlines() == [
        f"a\\nx {ids[2]}",
        f"b {ids[0]}",
        f"b {ids[3]}",
        "- /pool/2.jpg",
    ]
