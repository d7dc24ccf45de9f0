"""The figures of each label as HTML tables."""

from collections.abc import Iterable, Sequence
from html import escape

from agent.evaluation.advice import LEAST_GAIN
from agent.evaluation.evaluation import Evaluation
from agent.evaluation.intervals import Estimate
from agent.evaluation.label_measures import OfLabel
from agent.printable import printable

_NAME_MAX = 60  # characters


def labels_table(found: Evaluation) -> str:
    """Return the table of a detector's labels, those with most objects first; empty without any."""
    labels = found.measured.seen if found.measured is not None else ()
    if not labels:
        return ""
    heads = (
        *("objects", "precision", "recall", "AP50", "AP50-95"),
        *("threshold in use", "best threshold"),
    )
    return _table(
        heads,
        ((each.label, _cells(each, found.thresholds.get(each.label))) for each in labels),
    )


def classes_table(found: Evaluation) -> str:
    """Return the table of a classifier's classes; empty without any."""
    rows = [each for each in found.classes if each.label is not None]
    if not rows:
        return ""
    return _table(
        ("images", "precision", "recall", "top-1"),
        (
            (
                str(each.label),
                [
                    str(each.images),
                    *(_estimate(figure) for figure in (each.precision, each.recall, each.top1)),
                ],
            )
            for each in rows
        ),
    )


def _cells(each: OfLabel, threshold: float | None) -> list[str]:
    best = each.best
    is_worse = best is not None and best.f1 - each.f1 >= LEAST_GAIN
    kind = ' class="worse"' if is_worse else ""
    used = "" if threshold is None else f"<span{kind}>{threshold:g}</span>"
    return [
        str(each.objects),
        *(_estimate(found) for found in (each.precision, each.recall, each.ap50, each.ap50_95)),
        f"{used}<small>F1 {each.f1:.2f}</small>",
        "?" if best is None else f"{best.threshold:g}<small>F1 {best.f1:.2f}</small>",
    ]


def _estimate(each: Estimate | None) -> str:
    if each is None:
        return "?<small>not known</small>"
    return f"{each.value:.3f}<small>{each.low:.3f} to {each.high:.3f}</small>"


def _table(heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a table; cells are HTML."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in ("label", *heads))
    body = "".join(
        f'<tr><th scope="row">{escape(printable(label, _NAME_MAX))}</th>'
        f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for label, cells in rows
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="By label"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
