"""Makes the HTML page of an evaluation: it loads nothing from elsewhere and runs no script."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from agent.evaluation.advice import (
    SETTING_MAX,
    better_thresholds,
    needed_of,
    notes_of,
    setting_of,
    warnings_of,
)
from agent.evaluation.comparison import Outcome
from agent.evaluation.comparison_words import (
    ComparedModel,
    difference_rows,
    remarks_on,
    sentence_of,
)
from agent.evaluation.evaluation import Evaluation
from agent.evaluation.facts import METHOD
from agent.evaluation.intervals import Estimate
from agent.evaluation.label_charts import LABELS_DRAWN, curves_of, reliability
from agent.evaluation.page_style import PAGE_STYLE
from agent.evaluation.page_tables import classes_table, labels_table
from agent.evaluation.worst_frames import cards
from agent.pages.document import document, tiles
from agent.pages.line_chart import LINE_STYLE, Interval, interval_chart
from agent.printable import printable

_NAME_MAX = 60  # characters


def page_of(found: Evaluation, other: ComparedModel | None, directory: Path) -> str:
    """Return the page; images that cannot be read are left out."""
    names = ", ".join(printable(each.name, _NAME_MAX) for each in found.models if each.name)
    about = (
        f"{names or 'one model'}, {len(found.frames)} of {found.random_captures} random captures"
    )
    return document(
        "Evaluation",
        "How good the model is",
        f"{about} reviewed",
        [
            *_warnings(found),
            *_comparison(other),
            *tiles(_figures(found)),
            *_labels(found),
            *_curves(found),
            *_calibration(found),
            *_outcomes(found),
            *_audit(found),
            *_worst(found, directory),
            *_foot(found),
        ],
        style=LINE_STYLE + PAGE_STYLE,
    )


def _warnings(found: Evaluation) -> Iterator[str]:
    setting = printable(setting_of(better_thresholds(found)), SETTING_MAX)
    for warning in warnings_of(found):
        words = f"{escape(warning)}."
        if setting in warning:
            words = words.replace(f"{escape(setting)}.", f"<code>{escape(setting)}</code>")
        yield f'<p class="warning"><b>Warning:</b> {words}</p>'


def _comparison(other: ComparedModel | None) -> Iterator[str]:
    if other is None:
        return
    kind = "warning" if other.comparison.outcome is Outcome.UNCLEAR else "warning better"
    yield f'<p class="{kind}"><b>Two models:</b> {escape(sentence_of(other))}.</p>'
    name = escape(printable(other.name, _NAME_MAX))
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Two models"><table><thead>'
    yield f'<tr><th scope="col"></th><th scope="col">captures</th><th scope="col">{name}</th>'
    yield '<th scope="col">difference</th></tr></thead><tbody>'
    for figure, each in difference_rows(other.comparison):
        yield (
            f'<tr><th scope="row">{escape(figure)}</th><td>{each.current:.3f}</td>'
            f"<td>{each.other:.3f}</td><td>{each.value:+.3f}<small>{each.low:+.3f} to "
            f"{each.high:+.3f}</small></td></tr>"
        )
    yield "</tbody></table></div>"
    yield "".join(f"<p><small>{escape(remark)}.</small></p>" for remark in remarks_on(other))


def _figures(found: Evaluation) -> Iterator[tuple[object, str, str]]:
    yield _tile(found.failure_rate, "of the time has a failure")
    if found.classes:
        together = found.classes[0]
        yield _tile(together.top1, "accuracy")
        yield _tile(together.precision, "precision")
        yield _tile(together.recall, "recall")
        return
    measured = found.measured
    yield _tile(measured.precision if measured else None, "precision")
    yield _tile(measured.recall if measured else None, "recall")
    yield _tile(measured.map50 if measured else None, "mean AP50", share=False)
    yield _tile(measured.map50_95 if measured else None, "mean AP50-95", share=False)


def _tile(each: Estimate | None, words: str, *, share: bool = True) -> tuple[str, str, str]:
    if each is None:
        return "?", words, "not known"
    if share:
        return f"{each.value:.1%}", words, f"95 %: {each.low:.1%} to {each.high:.1%}"
    return f"{each.value:.3f}", words, f"95 %: {each.low:.3f} to {each.high:.3f}"


def _labels(found: Evaluation) -> Iterator[str]:
    table = classes_table(found) if found.classes else labels_table(found)
    if table:
        yield "<section><h2>By label</h2>"
        yield table
        yield "<p><small>Below each figure its 95 % interval.</small></p></section>"


def _curves(found: Evaluation) -> Iterator[str]:
    labels = found.measured.labels if found.measured is not None else ()
    drawn = sorted((each for each in labels if len(each.curve.threshold)), key=lambda e: -e.objects)
    if not drawn:
        return
    yield "<section><h2>Thresholds</h2>"
    yield (
        '<p class="legend"><i class="used"></i>threshold in use <i class="best"></i>threshold of '
        "the best F1</p>"
    )
    for each in drawn[:LABELS_DRAWN]:
        yield from curves_of(each, found.thresholds.get(each.label, 0.5), found.floor)
    if len(drawn) > LABELS_DRAWN:
        yield f"<p>{len(drawn) - LABELS_DRAWN} labels with fewer objects are in the table.</p>"
    yield "</section>"


def _calibration(found: Evaluation) -> Iterator[str]:
    measured = found.measured.calibration if found.measured else found.class_calibration
    if measured is None:
        return
    yield "<section><h2>Do confidences mean what they say?</h2>"
    yield f'<div class="curves">{reliability("All labels", measured)}</div></section>'


def _outcomes(found: Evaluation) -> Iterator[str]:
    if not any(each.reviewed for each in found.lanes):
        return
    yield "<section><h2>What the credits were spent on</h2>"
    yield (
        "<p>Captures of most lanes were chosen because of what the model said of them. All "
        "reviewed captures count alike here; none of this is a figure of the model.</p>"
        "<h3>Captures with a failure, by lane</h3>"
    )
    yield interval_chart(
        "Captures with a failure, by lane",
        [
            _row(
                each.lane,
                each.failures,
                f"of {each.reviewed} reviewed, {each.captures} captures",
            )
            for each in found.lanes
        ],
    )
    if found.rules:
        yield (
            "<h3>Suspects that were failures, by rule</h3>"
            '<p class="legend"><i class="expected"></i>'
            "as many as the rule expected</p>"
        )
        sides = [each.rule for each in found.rules if each.side is not None]
        yield interval_chart(
            "Suspects that were failures, by rule",
            [
                _row(
                    each.rule if each.side is None else each.side.value,
                    each.failures,
                    f"of {each.suspects}",
                    mark=each.expected / max(1, each.suspects),
                    is_inner=each.side is not None,
                )
                for each in found.rules
                if each.side is None or sides.count(each.rule) > 1
            ],
        )
    yield "</section>"


def _audit(found: Evaluation) -> Iterator[str]:
    checked = found.audit
    if checked is None or not checked.reviewed:
        return
    rows = [("whole frames", checked.right_frames, f"of {checked.reviewed} audits")]
    rows += [
        (each.label, each.precision, f"of {each.precision.cases:g} boxes: {each.promise.value}")
        for each in checked.labels
    ]
    yield "<section><h2>Do auto labels keep their promise?</h2>"
    yield (
        f"<p>The model labelled {checked.captures} captures itself; chance chose "
        f"{checked.audits} of them for review. The mark is the precision that was promised.</p>"
    )
    yield interval_chart(
        "Auto labels that are right",
        [_row(name, each, of, mark=checked.promised) for name, each, of in rows],
    )
    yield "</section>"


def _row(
    name: str,
    each: Estimate | None,
    of: str,
    *,
    mark: float | None = None,
    is_inner: bool = False,
) -> Interval:
    name = printable(name, _NAME_MAX)
    if each is None:
        return Interval(name, None, figure=f"unknown, {of}", mark=mark, is_inner=is_inner)
    figure = f"{each.value:.0%} {of}"
    return Interval(name, each.value, each.low, each.high, figure, mark, is_inner)


def _worst(found: Evaluation, directory: Path) -> Iterator[str]:
    shown = list(cards(found, directory))
    if shown:
        yield "<section><h2>Frames with the most errors</h2>"
        yield (
            '<p class="legend"><i class="missed"></i>missed object <i class="wrong"></i>wrong box '
            '<i class="right"></i>right box</p><div class="sheet">'
        )
        yield from shown
        yield "</div></section>"


def _foot(found: Evaluation) -> Iterator[str]:
    wanted = [f"{name} {count}" for name, count in needed_of(found).items() if count]
    lines = [f"{note}." for note in notes_of(found)]
    if wanted:
        lines.append(
            "More reviewed random captures for an interval of \u00b15 points: about "
            f"{', '.join(wanted)}."
        )
    lines.append(f"Method: {METHOD}.")
    yield f"<footer>{''.join(f'<p>{escape(line)}</p>' for line in lines)}</footer>"
