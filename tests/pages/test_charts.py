"""Charts as text: what a person who cannot see them is told, and what a hostile label becomes."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.pages.charts import (
    Bar,
    Cell,
    Column,
    Part,
    bars,
    bin_of,
    bins,
    grid,
    heat_map,
    histogram,
)

HOSTILE = '</button><script>alert(1)</script>"><img src=x onerror=alert(1)>'


class Elements(HTMLParser):
    """The elements of a text, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def keys(self) -> list[str | None]:
        return [about["data-images"] for _, about in self.found if "data-images" in about]


def every_chart(text: str) -> str:
    cell = Cell(1, text, key=text)
    return "".join(
        (
            bars(text, [Bar(text, (Part(1, text, text),), text, key=text)]),
            histogram(text, [Column(1, text, text, text)], [text]),
            heat_map(text, [[cell]]),
            grid(text, [text], [(text, [cell])]),
        )
    )


def test_a_label_turns_the_direction_of_nothing_around_it() -> None:
    page = every_chart("cod \u202e\u2066bus\x1b")

    assert r"cod \u202e\u2066bus\x1b" in page
    shown = [
        value
        for _, about in Elements(page).found
        for name, value in about.items()
        if name not in {"data-images", "class"}  # no person reads them
    ]
    assert not any("\u202e" in (value or "") for value in shown)


def test_a_label_cannot_bring_elements_or_attributes() -> None:
    plain, hostile = Elements(every_chart("bus")), Elements(every_chart(HOSTILE))

    assert [(tag, set(about)) for tag, about in hostile.found] == [
        (tag, set(about)) for tag, about in plain.found
    ]
    assert hostile.keys() == [HOSTILE] * 4


def test_what_has_no_images_is_no_button() -> None:
    text = bars("classes", [Bar("bus", (Part(0),), "0 of 100", mark=100)])

    assert "button" not in text
    assert "0 of 100" in text


def test_a_bar_ends_in_proportion_to_the_longest() -> None:
    text = bars("x", [Bar("a", (Part(30), Part(20)), "50"), Bar("b", (Part(100),), "100")])

    widths = [about["width"] for tag, about in Elements(text).found if tag == "rect"]
    assert widths == ["30.00%", "20.00%", "100.00%"]


@pytest.mark.parametrize("cells", [[], [[]], [[Cell(0, "none")]]])
def test_an_empty_map_is_drawn(cells: list[list[Cell]]) -> None:
    assert heat_map("empty", cells, aspect=0).endswith("</svg>")


@given(st.lists(st.floats(-1e6, 1e6)), st.lists(st.integers(-100, 100), min_size=2, unique=True))
def test_each_value_is_in_one_bin(values: list[float], edges: list[int]) -> None:
    edges.sort()

    assert sum(bins(values, edges)) == len(values)
    for value in values:
        place = bin_of(value, edges)
        assert place == 0 or value >= edges[place]
        assert place == len(edges) - 2 or value < edges[place + 1]
