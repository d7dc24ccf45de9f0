"""Draws the result of `demo --loop` as an SVG: distinct failures found for each credit."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 250, 50, 60  # pixels around the curves


@dataclass(frozen=True, slots=True)
class Curve:
    """One round: how many distinct failures were known after each credit."""

    name: str
    found: Sequence[int]
    colour: str
    is_dashed: bool = False


def chart(title: str, curves: Sequence[Curve]) -> str:
    """Return the SVG document of some curves; all begin at 0 credits and 0 failures."""
    most_x = max((len(curve.found) for curve in curves), default=0) or 1
    most_y = _rounded_up(max((max(curve.found, default=0) for curve in curves), default=0))
    across, down = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def place(credits_: float, failures: float) -> tuple[float, float]:
        return _LEFT + across * credits_ / most_x, HEIGHT - _BOTTOM - down * failures / most_y

    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="14">'
    )
    parts = [
        head,
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="28" font-size="17" fill="#222222">{escape(title)}</text>',
    ]
    for step in range(6):
        value = most_y * step / 5
        x, y = place(0, value)
        parts.append(
            f'<line x1="{x}" y1="{y:.1f}" x2="{x + across}" y2="{y:.1f}" stroke="#dddddd"/>'
            f'<text x="{x - 8}" y="{y + 5:.1f}" text-anchor="end" fill="#555555">{value:.0f}</text>'
        )
    for value in sorted({0, most_x // 2, most_x}):
        x, y = place(value, 0)
        parts.append(
            f'<text x="{x:.1f}" y="{y + 22:.1f}" text-anchor="middle" fill="#555555">{value}</text>'
        )
    parts.append(
        f'<text x="{_LEFT + across / 2}" y="{HEIGHT - 14}" text-anchor="middle" fill="#222222">'
        "credits spent: captures that were reviewed</text>"
    )
    labels = _apart([place(len(each.found), max(each.found, default=0))[1] for each in curves])
    for curve, label_y in zip(curves, labels, strict=True):
        points = [place(0, 0), *(place(n, count) for n, count in enumerate(curve.found, 1))]
        dashes = ' stroke-dasharray="7 5"' if curve.is_dashed else ""
        parts.append(
            f'<polyline fill="none" stroke="{curve.colour}" stroke-width="3"{dashes} points="'
            + " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            + '"/>'
        )
        parts.append(
            f'<text x="{points[-1][0] + 10:.1f}" y="{label_y + 5:.1f}" fill="{curve.colour}">'
            f"{max(curve.found, default=0)} {escape(curve.name)}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _rounded_up(value: int) -> int:
    """Return a multiple of 5 that the axis ends at."""
    return max(5, -(-value // 5) * 5)


def _apart(heights: Sequence[float], least: float = 18.0) -> list[float]:
    """Move labels so that none covers another one."""
    order = sorted(range(len(heights)), key=lambda number: heights[number])
    made = list(heights)
    for before, after in pairwise(order):
        made[after] = max(made[after], made[before] + least)
    return made
