"""The curves of one label as charts: precision over recall, F1 over threshold, reliability."""

from collections.abc import Iterator
from html import escape

from agent.evaluation.calibration import Calibration
from agent.evaluation.label_measures import OfLabel
from agent.pages.line_chart import Dot, Line, Upright, line_chart
from agent.printable import printable

LABELS_DRAWN = 12

_NAME_MAX = 60  # characters


def curves_of(each: OfLabel, threshold: float, floor: float) -> Iterator[str]:
    """Yield the charts of a label; `threshold` is in use."""
    yield f"<h3>{escape(printable(each.label, _NAME_MAX))}</h3>"
    yield f'<div class="curves">{_precision_recall(each)}{_f1(each, threshold, floor)}'
    if each.calibration is not None:
        yield reliability(printable(each.label, _NAME_MAX), each.calibration)
    yield "</div>"


def reliability(title: str, found: Calibration) -> str:
    """Return the reliability diagram of one label, or of all together."""
    points = [(each.confidence, each.right) for each in found.bins]
    dots = [
        Dot(
            each.confidence,
            each.right,
            f"confidence {each.low:.2f} to {each.high:.2f}: {each.right:.0%} of "
            f"{each.detections} right",
        )
        for each in found.bins
    ]
    chart = line_chart(
        f"{title}: share of detections that are right, by confidence",
        ("confidence", "right"),
        [Line([(0.0, 0.0), (1.0, 1.0)], "soft"), Line(points)],
        dots=dots,
    )
    return (
        f"<figure>{chart}<figcaption>Right, by confidence; expected calibration error "
        f"{found.error:.3f} ({found.low:.3f} to {found.high:.3f})</figcaption></figure>"
    )


def _precision_recall(each: OfLabel) -> str:
    curve, best = each.curve, each.best
    points = list(zip(curve.recall.tolist(), curve.precision.tolist(), strict=True))
    dots = []
    if each.precision is not None and each.recall is not None:
        dots.append(Dot(each.recall.value, each.precision.value, "threshold in use", "used"))
    if best is not None:
        dots.append(Dot(best.recall, best.precision, f"threshold {best.threshold:g}", "best"))
    chart = line_chart(
        f"{printable(each.label, _NAME_MAX)}: precision over recall",
        ("recall", "precision"),
        [Line(points)],
        dots=dots,
    )
    found = f"AP50 {each.ap50.value:.3f}" if each.ap50 is not None else "AP50 unknown"
    return f"<figure>{chart}<figcaption>Precision over recall; {found}</figcaption></figure>"


def _f1(each: OfLabel, threshold: float, floor: float) -> str:
    curve, best = each.curve, each.best
    points = list(zip(curve.threshold.tolist(), curve.f1.tolist(), strict=True))
    uprights = [Upright(threshold, f"in use: {threshold:g}", "used")]
    words = f"in use {threshold:g} (F1 {each.f1:.2f})"
    if best is not None:
        uprights.append(Upright(best.threshold, f"best: {best.threshold:g}", "best"))
        words += f", best {best.threshold:g} (F1 {best.f1:.2f})"
        if best.ends_at_floor:
            words += f"; below the floor of {floor:g} nothing is known"
        else:
            low, high = min(best.threshold, best.flat_low), max(best.threshold, best.flat_high)
            words += f"; at most 0.01 lower from {low:.3g} to {high:.3g}"
    chart = line_chart(
        f"{printable(each.label, _NAME_MAX)}: F1 over the threshold",
        ("threshold", "F1"),
        [Line(points)],
        uprights=uprights,
    )
    return f"<figure>{chart}<figcaption>F1 over the threshold: {words}</figcaption></figure>"
