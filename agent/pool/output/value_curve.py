"""Draws what each further image adds, as SVG: where the curve is flat, more labels show little."""

from collections.abc import Sequence
from html import escape

CURVE_STYLE = """
.curve{width:100%;height:auto;display:block;overflow:visible}
.curve .area{fill:var(--score);fill-opacity:.22;stroke:none}
.curve .line{fill:none;stroke:var(--score);stroke-width:2px;vector-effect:non-scaling-stroke;
stroke-linejoin:round}
.curve .next{fill:none;stroke:var(--soft);stroke-width:2px;stroke-dasharray:4 3;
vector-effect:non-scaling-stroke}
.curve .rail{stroke:var(--line);stroke-width:1px;vector-effect:non-scaling-stroke}
.curve .cut{stroke:var(--ink);stroke-width:1.5px;stroke-dasharray:4 3;
vector-effect:non-scaling-stroke}
figure .curve text{font-size:11px;fill:var(--soft)}
figure .curve text.cut{fill:var(--ink);stroke:none;font-weight:600}
@media(max-width:30rem){figure .curve text{font-size:19px}}
"""

_WIDTH, _HEIGHT = 700.0, 190.0  # of the area between the axes
_LEFT, _TOP, _RIGHT, _BOTTOM = 40.0, 22.0, 12.0, 34.0
_MOST_POINTS = 700  # more cannot be seen


def value_curve(values: Sequence[float], following: Sequence[float] = ()) -> str:
    """Return the curve of at least one value, in the order of the choice.

    `following` are the values of the images that would come next.
    """
    total = len(values) + len(following)
    highest = max(*values, *following, 1e-9)

    def x(place: float) -> float:
        return _LEFT + _WIDTH * place / total

    def y(value: float) -> float:
        return _TOP + _HEIGHT * (1 - max(0.0, value) / highest)

    def steps(first: int, found: Sequence[float]) -> str:
        every = max(1, len(found) // _MOST_POINTS)
        points = []
        for begin in range(0, len(found), every):
            end = min(begin + every, len(found))
            level = sum(found[begin:end]) / (end - begin)
            points += [(x(first + begin), y(level)), (x(first + end), y(level))]
        return " ".join(f"{left:.1f},{top:.1f}" for left, top in points)

    ground = y(0.0)
    line = steps(0, values)
    cut = x(len(values))
    after = steps(len(values), following) if following else ""
    rails = "".join(
        f'<line class="rail" x1="{_LEFT:g}" x2="{_LEFT + _WIDTH:g}" y1="{y(level):.1f}" '
        f'y2="{y(level):.1f}"/><text x="{_LEFT - 5:g}" y="{y(level) + 4:.1f}" '
        f'text-anchor="end">{level:.3g}</text>'
        for level in (0.0, highest / 2, highest)
    )
    anchor = "end" if cut > _LEFT + _WIDTH * 0.6 else "start"
    shift = -6 if anchor == "end" else 6
    words = f"{len(values)} chosen; the last one adds {values[-1]:.2g}"
    return (
        f'<svg class="curve" viewBox="0 0 {_LEFT + _WIDTH + _RIGHT:g} '
        f'{_TOP + _HEIGHT + _BOTTOM:g}" role="img" '
        f'aria-label="{escape(f"What the n-th image adds; {words}")}">{rails}'
        f'<polygon class="area" points="{_LEFT:g},{ground:.1f} {line} {cut:.1f},{ground:.1f}"/>'
        f'<polyline class="line" points="{line}"/>'
        + (f'<polyline class="next" points="{after}"/>' if after else "")
        + f'<line class="cut" x1="{cut:.1f}" x2="{cut:.1f}" y1="{_TOP - 8:g}" y2="{ground:.1f}"/>'
        f'<text class="cut" x="{cut + shift:.1f}" y="{_TOP - 4:g}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
        f'<text x="{_LEFT:g}" y="{ground + 15:.1f}">1st</text>'
        f'<text x="{cut:.1f}" y="{ground + 15:.1f}" text-anchor="end">{len(values)}</text>'
        f'<text x="{_LEFT + _WIDTH / 2:g}" y="{ground + 29:.1f}" text-anchor="middle">'
        "n-th image in the order of the choice</text></svg>"
    )
