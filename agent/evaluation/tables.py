"""The figures of an evaluation as tables on a terminal."""

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from agent.evaluation.comparison_words import ComparedModel, difference_rows
from agent.evaluation.evaluation import Evaluation
from agent.evaluation.intervals import Estimate
from agent.evaluation.label_measures import Measured
from agent.printable import printable

_LABEL_LENGTH = 30  # characters
_PADDING = (0, 2, 0, 0)


def figures_table(found: Evaluation) -> Table:
    """Return the figures of all labels together, each with its interval."""
    table = Table("", "estimate", "95 % interval", "from", box=None, padding=(0, 3, 0, 0))
    table.add_row("failure rate", *_cells(found.failure_rate, "frames"))
    measured = found.measured
    if found.classes:
        together = found.classes[0]
        table.add_row("accuracy", *_cells(together.top1, "images"))
        table.add_row("precision", *_cells(together.precision, "images"))
        table.add_row("recall", *_cells(together.recall, "images"))
        return table
    table.add_row("precision", *_cells(measured.precision if measured else None, "boxes"))
    table.add_row("recall", *_cells(measured.recall if measured else None, "objects"))
    table.add_row("mean AP50", *_cells(measured.map50 if measured else None, "objects"))
    table.add_row("mean AP50-95", *_cells(measured.map50_95 if measured else None, "objects"))
    return table


def labels_tables(found: Evaluation) -> list[Table]:
    """Return the figures of each label, in tables that fit on 80 columns."""
    if found.measured is not None and found.measured.seen:
        return [_boxes_table(found.measured), _thresholds_table(found.measured, found.thresholds)]
    if len(found.classes) < 2:  # noqa: PLR2004 (the first is of all together)
        return []
    table = _table("label", "images", "precision", "recall", "top-1")
    for each in found.classes[1:]:
        table.add_row(
            _name(str(each.label)),
            str(each.images),
            short(each.precision),
            short(each.recall),
            short(each.top1),
        )
    return [table]


def lanes_table(found: Evaluation) -> Table | None:
    """Return how often captures of each lane have a failure."""
    if not any(each.reviewed for each in found.lanes):
        return None
    table = _table("lane", "captures", "reviewed", "with a failure", "right boxes")
    table.title = "What the credits were spent on; no figures of the model"
    table.title_justify = "left"
    for each in found.lanes:
        table.add_row(
            escape(printable(each.lane, _LABEL_LENGTH)),
            str(each.captures),
            str(each.reviewed),
            short(each.failures),
            short(each.precision),
        )
    return table


def rules_table(found: Evaluation) -> Table | None:
    """Return how often suspects of each rule were failures; each side if a rule has several."""
    if not found.rules:
        return None
    table = _table("rule", "suspects", "were failures", "expected")
    sides = [each.rule for each in found.rules if each.side is not None]
    for each in found.rules:
        if each.side is not None and sides.count(each.rule) == 1:
            continue
        name = each.rule if each.side is None else f"  {each.side.value}"
        table.add_row(
            escape(printable(name, _LABEL_LENGTH)),
            str(each.suspects),
            short(each.failures),
            f"{each.expected / each.suspects:.0%}",
        )
    return table


def audit_table(found: Evaluation) -> Table | None:
    """Return what the audit says of auto labels; None if none was reviewed."""
    checked = found.audit
    if checked is None or not checked.reviewed:
        return None
    table = _table("auto labels", "audited", "right", f"promise of {checked.promised:g}")
    table.title = (
        f"Audit: {checked.reviewed} reviewed of {checked.audits} audits among "
        f"{checked.captures} auto labels"
    )
    table.title_justify = "left"
    table.add_row("whole frames", str(checked.reviewed), short(checked.right_frames), "")
    for each in checked.labels:
        cases = f"{each.precision.cases:g}"
        table.add_row(_name(each.label), cases, short(each.precision), each.promise.value)
    return table


def comparison_table(model: ComparedModel) -> Table:
    """Return the figures of two models side by side."""
    table = _table("", "captures", _name(model.name), "difference", "95 % interval")
    for name, each in difference_rows(model.comparison):
        table.add_row(
            name,
            f"{each.current:.3f}",
            f"{each.other:.3f}",
            f"{each.value:+.3f}",
            f"{each.low:+.3f} to {each.high:+.3f}",
        )
    return table


def short(each: Estimate | None) -> str:
    """Return an estimate with its interval in few letters."""
    if each is None:
        return "unknown"
    return f"{each.value:.2f} ({each.low:.2f}-{each.high:.2f})"


def _boxes_table(measured: Measured) -> Table:
    table = _table("label", "objects", "precision", "recall", "AP50")
    for each in measured.seen:
        table.add_row(
            _name(each.label),
            str(each.objects),
            short(each.precision),
            short(each.recall),
            short(each.ap50),
        )
    return table


def _thresholds_table(measured: Measured, thresholds: Mapping[str, float]) -> Table:
    table = _table("label", "AP50-95", "threshold in use", "best F1 at")
    for each in measured.seen:
        threshold, best = thresholds.get(each.label), each.best
        table.add_row(
            _name(each.label),
            short(each.ap50_95),
            "" if threshold is None else f"{threshold:g} (F1 {each.f1:.2f})",
            "unknown" if best is None else f"{best.threshold:g} (F1 {best.f1:.2f})",
        )
    return table


def _table(first: str, *others: str) -> Table:
    """Return an empty table whose first column breaks long names and loses no letter."""
    table = Table(box=None, padding=_PADDING)
    table.add_column(first, overflow="fold")
    for each in others:
        table.add_column(each)
    return table


def _name(label: str) -> str:
    return escape(printable(label, _LABEL_LENGTH))


def _cells(estimate: Estimate | None, unit: str) -> tuple[str, str, str]:
    if estimate is None:
        return "unknown", "", f"no {unit}"
    return (
        f"{estimate.value:.3f}",
        f"{estimate.low:.3f} to {estimate.high:.3f}",
        f"{estimate.cases:g} {unit}",
    )
