"""Charts of a page as HTML and SVG text: bars, histograms, maps and grids.

They need `CHART_STYLE` (`agent.pages.chart_style`) and no script. A part that has a key of images
is a button with `data-images`; the page's own script opens the images. Everything that colour
or length says is in a text too. Any text is escaped here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from agent.pages.text import html_of

_THIN = 0.4  # smallest width of a bar that is not 0, in % of the longest
_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Part:
    """One coloured part of a bar."""

    value: float  # at least 0
    kind: str = "value"  # value, second, third, soft, good, warning or bad
    words: str = ""  # shown when pointed at


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart: its parts one after the other."""

    label: str
    parts: tuple[Part, ...]
    figure: str  # the text at its end
    mark: float | None = None  # where a line marks the target
    key: str = ""  # of the images behind it


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a histogram."""

    value: float  # at least 0
    words: str  # what it stands for, and its value: "0.2 to 0.3: 12 images"
    kind: str = "value"
    key: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a map or grid."""

    value: float  # at least 0
    words: str
    key: str = ""


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Return horizontal bars, all to the scale of the longest; `title` is read aloud."""
    longest = max((_reach(row) for row in rows), default=0) or 1
    inner = "".join(_bar(row, longest) for row in rows)
    return f'<div class="chart bars" role="group" aria-label="{html_of(title)}">{inner}</div>'


def histogram(title: str, columns: Sequence[Column], axis: Sequence[str]) -> str:
    """Return upright columns side by side.

    `axis` has the texts below them: one for each column, or one for each edge.
    """
    highest = max((column.value for column in columns), default=0) or 1
    inner = "".join(
        _button(
            "column",
            column.key,
            column.words,
            '<svg viewBox="0 0 10 100" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="{escape(column.kind)}" width="10" {_upright(column.value / highest)}/>'
            "</svg>",
        )
        for column in columns
    )
    texts = "".join(f"<span>{html_of(text)}</span>" for text in axis)
    between = "" if len(axis) == len(columns) else " edges"
    return (
        f'<div class="chart histogram" role="group" aria-label="{html_of(title)}">'
        f'<div class="columns">{inner}</div>'
        f'<div class="axis{between}" aria-hidden="true">{texts}</div></div>'
    )


def heat_map(title: str, cells: Sequence[Sequence[Cell]], *, aspect: float = 16 / 9) -> str:
    """Return a map of an image, row by row from the top left; darker is more.

    `aspect` is the image's width divided by its height. The colour follows the square root of a
    value, so that rare places can be seen; a cell of 0 is left out.
    """
    most = max((cell.value for row in cells for cell in row), default=0) or 1
    width = max((len(row) for row in cells), default=1)
    height = width / min(max(aspect, 0.2), 5.0)
    step = height / max(len(cells), 1)
    inner = "".join(
        _cell(cell, most, f'x="{x}" y="{y * step:.3f}" width="1" height="{step:.3f}"')
        for y, row in enumerate(cells)
        for x, cell in enumerate(row)
        if cell.value > 0
    )
    return (
        f'<svg class="chart map" viewBox="0 0 {width} {height:.3f}" role="group" data-cells="'
        f'{width}" aria-label="{html_of(title)}">{inner}</svg>'
    )


def grid(
    title: str,
    columns: Sequence[str],
    rows: Iterable[tuple[str, Sequence[Cell]]],
    *,
    every: int = 1,
) -> str:
    """Return a table whose cells are coloured by their value, with the sum of each row.

    `columns` are the heads; each `every`th of them is shown.
    """
    found = list(rows)
    most = max((cell.value for _, cells in found for cell in cells), default=0) or 1
    heads = "".join(
        f'<th scope="col"><span class="{"" if number % every == 0 else "hidden"}">{html_of(text)}'
        "</span></th>"
        for number, text in enumerate(columns)
    )
    body = "".join(_row(name, cells, most) for name, cells in found)
    return (
        f'<div class="chart grid" tabindex="0" role="region" aria-label="{html_of(title)}"><table>'
        f'<thead><tr><td></td>{heads}<th scope="col">all</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def bins(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """Count `values` from each edge to the next; those outside count in the first and last bin."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[bin_of(value, edges)] += 1
    return counts


def bin_of(value: float, edges: Sequence[float]) -> int:
    """Return the number of the bin, see `bins`."""
    return next((n for n, edge in enumerate(edges[1:-1]) if value < edge), len(edges) - 2)


def number(value: float, digits: int = _DIGITS) -> str:
    """Return a number for people: `12`, `0.25`, `12,345`."""
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def columns_of(
    counts: Sequence[int], edges: Sequence[float], unit: str, key: Callable[[int], str]
) -> Iterator[Column]:
    """Yield the columns of counts by bin; `key` returns that of a bin's images."""
    for place, count in enumerate(counts):
        low, high = number(edges[place], 4), number(edges[place + 1], 4)
        yield Column(
            count, f"{low} to {high}: {number(count)} {unit}", key=key(place) if count else ""
        )


def _reach(row: Bar) -> float:
    return max(sum(part.value for part in row.parts), row.mark or 0)


def _bar(row: Bar, longest: float) -> str:
    rects, left = [], 0.0
    for part in row.parts:
        if part.value > 0:
            wide = max(100 * part.value / longest, _THIN)
            words = f"<title>{html_of(part.words)}</title>" if part.words else ""
            rects.append(
                f'<rect class="{escape(part.kind)}" x="{left:.2f}%" width="{wide:.2f}%" '
                f'height="100%">{words}</rect>'
            )
            left += wide
    if row.mark is not None:
        at = min(100 * row.mark / longest, 99.6)
        rects.append(f'<line class="mark" x1="{at:.2f}%" x2="{at:.2f}%" y1="0" y2="100%"/>')
    inner = (
        f'<span class="name">{html_of(row.label)}</span>'
        f'<svg class="track" aria-hidden="true">{"".join(rects)}</svg>'
        f'<span class="figure">{html_of(row.figure)}</span>'
    )
    return _button("bar", row.key, "", inner)


def _button(kind: str, key: str, words: str, inner: str) -> str:
    said = f' title="{html_of(words)}" aria-label="{html_of(words)}"' if words else ""
    if key:
        return (
            f'<button type="button" class="{kind}" data-images="{escape(key)}"{said}>{inner}'
            "</button>"
        )
    role = ' role="img"' if words else ""
    return f'<div class="{kind}"{role}{said}>{inner}</div>'


def _upright(share: float) -> str:
    tall = 0.0 if share <= 0 else max(100 * share, 1.0)
    return f'y="{100 - tall:.2f}" height="{tall:.2f}"'


def _cell(cell: Cell, most: float, place: str) -> str:
    words = html_of(cell.words)
    heat = f'<rect class="heat" fill-opacity="{_heat(cell.value, most)}" {place}>'
    if cell.key:
        heat = (
            f'<rect class="heat" fill-opacity="{_heat(cell.value, most)}" {place} tabindex="-1" '
            f'role="button" aria-label="{words}" data-images="{escape(cell.key)}">'
        )
    return f"{heat}<title>{words}</title></rect>"


def _row(name: str, cells: Sequence[Cell], most: float) -> str:
    found = []
    for cell in cells:
        square = (
            '<svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true"><rect '
            f'class="heat" width="1" height="1" fill-opacity="{_heat(cell.value, most)}"/></svg>'
        )
        found.append(f"<td>{_button('square', cell.key, cell.words, square)}</td>")
    total = number(sum(cell.value for cell in cells))
    return (
        f'<tr><th scope="row">{html_of(name)}</th>{"".join(found)}<td class="sum">{total}</td></tr>'
    )


def _heat(value: float, most: float) -> str:
    return "0" if value <= 0 else f"{0.12 + 0.88 * (value / most) ** 0.5:.3f}"
