"""Charts of shares as SVG: lines over an axis from 0 to 1, and intervals side by side.

They need `LINE_STYLE` and no script. Colours follow the page's style. Any text is escaped here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from agent.pages.text import html_of

LINE_STYLE = """
.lines{width:100%;height:auto;display:block;overflow:visible}
.lines text{font-size:9px;fill:var(--soft)}
.lines .grid-line{stroke:var(--line);stroke-width:1px;vector-effect:non-scaling-stroke}
.lines polyline{fill:none;stroke-width:2px;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.lines .value{stroke:var(--random)}.lines .second{stroke:var(--score)}
.lines .soft{stroke:var(--soft);stroke-dasharray:4 3;stroke-width:1px}
.lines .upright{stroke-width:1.5px;vector-effect:non-scaling-stroke;stroke-dasharray:4 3}
.lines .used{stroke:var(--score);fill:var(--score)}
.lines .best{stroke:var(--certain);fill:var(--certain)}
.lines .dot{stroke:var(--card);stroke-width:1.5px;fill-opacity:1}
.lines .point{fill:var(--random);fill-opacity:1;stroke:var(--card)}
.intervals{display:grid;grid-template-columns:minmax(6rem,max-content) minmax(4rem,1fr)
fit-content(45%);gap:.15rem .75rem;align-items:center;background:var(--card);
border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem;font-size:.85rem}
.intervals .name{overflow-wrap:anywhere}.intervals .inner{padding-left:1rem;color:var(--soft)}
.intervals .figure{font-variant-numeric:tabular-nums;color:var(--soft)}
.intervals svg{width:100%;height:1.3rem;display:block}
.intervals .span{stroke:var(--random);stroke-width:2px}
.intervals .rail{stroke:var(--line);stroke-width:1px}
.intervals .dot{fill:var(--random);fill-opacity:1}
.intervals .mark{stroke:var(--score);stroke-width:2px;stroke-dasharray:3 2}
@media(max-width:30rem){.intervals{grid-template-columns:minmax(4rem,7rem) minmax(3rem,1fr)
fit-content(38%);gap:.15rem .5rem;font-size:.8rem}}
"""

_WIDTH, _HEIGHT = 240.0, 150.0  # of the area between the axes
_LEFT, _BOTTOM = 26.0, 24.0  # room for the numbers of the axes
_MOST_POINTS = 300  # of a line; more cannot be seen


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points whose coordinates are shares of 0 to 1."""

    points: Sequence[tuple[float, float]]
    kind: str = "value"  # value, second or soft


@dataclass(frozen=True, slots=True)
class Dot:
    """A marked point."""

    x: float
    y: float
    words: str  # shown when pointed at
    kind: str = "point"  # point, used or best


@dataclass(frozen=True, slots=True)
class Upright:
    """A vertical line."""

    x: float
    words: str
    kind: str  # used or best


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with its interval, in one row."""

    name: str
    value: float | None  # None: unknown
    low: float = 0.0
    high: float = 0.0
    figure: str = ""  # the text at its end
    mark: float | None = None  # where a line marks what was expected
    is_inner: bool = False  # a part of the row above


def line_chart(
    title: str,
    axes: tuple[str, str],
    lines: Sequence[Line],
    *,
    dots: Sequence[Dot] = (),
    uprights: Sequence[Upright] = (),
) -> str:
    """Return a chart of shares; `axes` are the texts at the horizontal and the upright axis."""
    parts = [*_grid(), *(_upright(each) for each in uprights), *(_line(each) for each in lines)]
    parts += [
        f'<circle class="{escape(each.kind)} dot" cx="{_x(each.x):.1f}" cy="{_y(each.y):.1f}" '
        f'r="4"><title>{html_of(each.words)}</title></circle>'
        for each in dots
    ]
    parts.append(
        f'<text x="{_LEFT + _WIDTH / 2:g}" y="{_HEIGHT + _BOTTOM:g}" text-anchor="middle">'
        f"{html_of(axes[0])}</text>"
        f'<text x="{_LEFT:g}" y="-5">{html_of(axes[1])}</text>'
    )
    return (
        f'<svg class="lines" viewBox="0 -14 {_LEFT + _WIDTH + 8:g} {_HEIGHT + _BOTTOM + 18:g}" '
        f'role="img" aria-label="{html_of(title)}">{"".join(parts)}</svg>'
    )


def interval_chart(title: str, rows: Sequence[Interval]) -> str:
    """Return shares with their intervals, one below the other, all from 0 to 1."""
    inner = "".join(_interval(row) for row in rows)
    return f'<div class="intervals" role="group" aria-label="{html_of(title)}">{inner}</div>'


def _interval(row: Interval) -> str:
    drawn = '<line class="rail" x1="0" x2="100%" y1="50%" y2="50%"/>'
    if row.mark is not None:
        at = f"{100 * _share(row.mark):.1f}%"
        drawn += f'<line class="mark" x1="{at}" x2="{at}" y1="0" y2="100%"/>'
    if row.value is not None:
        low, value, high = (f"{100 * _share(v):.1f}%" for v in (row.low, row.value, row.high))
        drawn += (
            f'<line class="span" x1="{low}" x2="{high}" y1="50%" y2="50%"/>'
            f'<circle class="dot" cx="{value}" cy="50%" r="4"/>'
        )
    kind = "name inner" if row.is_inner else "name"
    return (
        f'<span class="{kind}">{html_of(row.name)}</span><svg aria-hidden="true">{drawn}</svg>'
        f'<span class="figure">{html_of(row.figure)}</span>'
    )


def _grid() -> list[str]:
    found = []
    for share in (0.0, 0.5, 1.0):
        x, y = _x(share), _y(share)
        found.append(
            f'<line class="grid-line" x1="{_LEFT:g}" x2="{_LEFT + _WIDTH:g}" y1="{y:g}" '
            f'y2="{y:g}"/><line class="grid-line" x1="{x:g}" x2="{x:g}" y1="0" y2="{_HEIGHT:g}"/>'
            f'<text x="{_LEFT - 4:g}" y="{y + 3:g}" text-anchor="end">{share:g}</text>'
            f'<text x="{x:g}" y="{_HEIGHT + 11:g}" text-anchor="middle">{share:g}</text>'
        )
    return found


def _line(each: Line) -> str:
    step = max(1, len(each.points) // _MOST_POINTS)
    kept = [*each.points[::step], *each.points[-1:]]
    points = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in kept)
    return f'<polyline class="{escape(each.kind)}" points="{points}"/>'


def _upright(each: Upright) -> str:
    x = f"{_x(each.x):.1f}"
    return (
        f'<line class="upright {escape(each.kind)}" x1="{x}" x2="{x}" y1="0" y2="{_HEIGHT:g}">'
        f"<title>{html_of(each.words)}</title></line>"
    )


def _x(share: float) -> float:
    return _LEFT + _WIDTH * _share(share)


def _y(share: float) -> float:
    return _HEIGHT * (1 - _share(share))


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
