"""Which images are dark, light, blurred, grey or of an odd size, and how bright all of them are.

Names, scores and limits are those that CleanVision 0.3 documents, so that its reports can be
compared: an image has an issue if its score, 0 to 1, is below the limit. `blurred for its camera`
is the agent's own: less than 0.35 of the sharpness that images of the camera usually have.
"""

from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from math import exp, sqrt
from statistics import median
from typing import Any

import numpy as np

from agent.dataset.health.examine import Examined
from agent.dataset.health.findings import ImagesByKey
from agent.dataset.health.gaps import LIGHTS
from agent.dataset.health.pixels import PixelFacts
from agent.pages.charts import bin_of
from agent.selection.image_quality import BLUR_RATIO

BRIGHTNESS = tuple(n / 10 for n in range(11))
"""Edges of the histogram of brightness."""

SHARPNESS = (0.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 100_000.0)
"""Edges of the histogram of sharpness, the variance of the Laplacian."""

RATIOS = (0.0, 0.5, 0.75, 0.95, 1.05, 1.34, 1.8, 2.5, 100.0)
"""Edges of the histogram of width divided by height."""

_HISTORY_LEAST = 20  # images of a camera before its usual sharpness counts, as on the device


class Issue(StrEnum):
    """What is odd about the pixels of an image."""

    DARK = "dark"
    LIGHT = "light"
    BLURRY = "blurry"
    LOW_INFORMATION = "low information"
    GRAYSCALE = "grayscale"
    ODD_ASPECT_RATIO = "odd aspect ratio"
    ODD_SIZE = "odd size"
    BLURRED = "blurred for its camera"


LIMITS = {
    Issue.DARK: 0.32,
    Issue.LIGHT: 0.05,
    Issue.BLURRY: 0.29,
    Issue.LOW_INFORMATION: 0.3,
    Issue.ODD_ASPECT_RATIO: 0.35,
}
"""Scores below which an image has the issue."""

_SPREAD_LEAST = 0.18  # score of the spread of grey levels up to which it does not count
_PER_EDGE, _PER_BIT = 0.01, 0.1  # of a score, for a unit of what was measured
_IQR_FACTOR = 3.0  # interquartile ranges beyond the quartiles, from which on a size is odd


def scores(facts: PixelFacts) -> dict[Issue, float]:
    """Return the score of each issue that one image alone decides, 0 (worst) to 1."""
    spread = 1 - exp(-_PER_EDGE * facts.level_spread)
    sharp = 1 - exp(-_PER_EDGE * facts.edges) + (spread if spread > _SPREAD_LEAST else 0.0)
    ratio = facts.width / facts.height
    return {
        Issue.DARK: facts.brightness_99,
        Issue.LIGHT: 1 - facts.brightness_5,
        Issue.BLURRY: min(sharp, 1.0),
        Issue.LOW_INFORMATION: min(_PER_BIT * facts.entropy, 1.0),
        Issue.ODD_ASPECT_RATIO: min(ratio, 1 / ratio),
    }


def odd_sizes(facts: Sequence[PixelFacts]) -> list[bool]:
    """Return which images are of an odd size: the square root of their area is an outlier."""
    if not facts:
        return []
    sides = np.array([sqrt(each.width * each.height) for each in facts])
    low, high = np.percentile(sides, [25, 75])
    reach = _IQR_FACTOR * (high - low)
    is_odd = (sides < low - reach - 1e-9) | (sides > high + reach + 1e-9)
    return [bool(each) for each in is_odd]


def quality(examined: Sequence[Examined], found: ImagesByKey) -> dict[str, Any]:
    """Return the issues of the images, and histograms of brightness, sharpness and shape."""
    readable = [(number, each.facts) for number, each in enumerate(examined) if each.facts]
    issues = dict.fromkeys(Issue, 0)

    def note(issue: Issue, number: int) -> None:
        issues[issue] += 1
        found.add(f"issue:{issue}", number)

    for (number, facts), is_odd in zip(
        readable, odd_sizes([facts for _, facts in readable]), strict=True
    ):
        for issue, score in scores(facts).items():
            if score < LIMITS[issue]:
                note(issue, number)
        if facts.is_grey:
            note(Issue.GRAYSCALE, number)
        if is_odd:
            note(Issue.ODD_SIZE, number)
    for number in _blurred(examined):
        note(Issue.BLURRED, number)
    return {
        "issues": {issue.value: count for issue, count in issues.items()},
        "brightness": _histogram(
            "brightness", BRIGHTNESS, [(n, f.brightness) for n, f in readable], found
        ),
        "sharpness": _histogram(
            "sharpness", SHARPNESS, [(n, f.sharpness) for n, f in readable], found
        ),
    }


def light(examined: Sequence[Examined], found: ImagesByKey) -> dict[str, Any]:
    """Return how many images are dark, medium and bright: thirds of the mean brightness."""
    levels = dict.fromkeys(LIGHTS, 0)
    for number, each in enumerate(examined):
        if each.facts is not None:
            name = LIGHTS[min(int(each.facts.brightness * len(LIGHTS)), len(LIGHTS) - 1)]
            levels[name] += 1
            found.add(f"light:{name}", number)
    return {"levels": levels}


def shapes(examined: Sequence[Examined], found: ImagesByKey) -> dict[str, Any]:
    """Return the sizes of the images, the most frequent first, and their ratios."""
    readable = [(number, each.facts) for number, each in enumerate(examined) if each.facts]
    by_size: dict[tuple[int, int], int] = defaultdict(int)
    for number, facts in readable:
        by_size[facts.width, facts.height] += 1
        found.add(f"dimensions:{facts.width}x{facts.height}", number)
    ratios = [(number, facts.width / facts.height) for number, facts in readable]
    order = sorted(by_size.items(), key=lambda each: (-each[1], each[0]))
    return {
        "sizes": [{"width": w, "height": h, "images": count} for (w, h), count in order],
        "mean_width": _mean([facts.width for _, facts in readable]),
        "mean_height": _mean([facts.height for _, facts in readable]),
        "median_ratio": round(median(r for _, r in ratios), 3) if ratios else None,
        "ratios": _histogram("ratio", RATIOS, ratios, found),
    }


def _blurred(examined: Sequence[Examined]) -> list[int]:
    """Return the images that are less sharp than their camera's usually are."""
    by_camera: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for number, each in enumerate(examined):
        moment = each.image.moment
        if each.facts is not None and moment is not None:
            by_camera[moment.device, moment.camera].append((number, each.facts.sharpness))
    blurred = []
    for rows in by_camera.values():
        usual = median(sharpness for _, sharpness in rows)
        if len(rows) >= _HISTORY_LEAST:
            blurred += [number for number, sharpness in rows if sharpness < BLUR_RATIO * usual]
    return sorted(blurred)


def _histogram(
    name: str, edges: Sequence[float], rows: Sequence[tuple[int, float]], found: ImagesByKey
) -> dict[str, Any]:
    counts = [0] * (len(edges) - 1)
    for number, value in rows:
        place = bin_of(value, edges)
        counts[place] += 1
        found.add(f"{name}:{place}", number)
    return {"edges": list(edges), "images": counts}


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 1) if values else None
