"""`capture-agent feedback`: what reviews say, as one file for the devices."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent import __version__
from agent.cli.console import require_replaceable
from agent.cli.dataset.source import takes_buckets
from agent.cli.left_out import left_out_told
from agent.errors import ConfigurationError
from agent.printable import printable

if TYPE_CHECKING:  # it loads numpy
    from agent.evaluation.feedback import Learnt
    from agent.selection.feedback import ClassFeedback, SuspectFactor

_SHOWN = 20  # rows of a table
_WIDTH = 110
_MARK = b'"made_at"'  # in the first lines of a feedback file, and in no other file of a dataset


@takes_buckets
def feedback(
    directories: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Dataset folders whose captures were reviewed."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the feedback file; else only show"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make from reviewed captures the file that tells devices which suspects were failures.

    Example: capture-agent feedback dataset -o feedback.json

    Copy it to the devices, set AGENT_FEEDBACK to its path, and reload them with SIGHUP. It is made
    for the model of the newest reviewed capture. Without a review the exit code is 78.
    """
    from agent.evaluation.feedback import learn
    from agent.evaluation.judged_captures import read_judged
    from agent.record.timestamp import timestamp
    from agent.system import SystemClock

    require_replaceable(out, "--out", _MARK)
    judged = read_judged(directories)
    with left_out_told(judged.skipped):
        learnt = learn(judged, made_at=timestamp(SystemClock().wall()), agent=__version__)
        if out is not None:
            _write(out, learnt)
        for problem in judged.problems[:_SHOWN]:
            print(f"capture-agent: left out {problem}", file=sys.stderr)
        if as_json:
            print(json.dumps(_facts(learnt), ensure_ascii=False))
        else:
            _show(learnt, out)


def _write(out: Path, learnt: "Learnt") -> None:
    from agent.files import Disk
    from agent.selection.feedback import feedback_bytes

    try:
        # A device may read it as another user.
        Disk(is_shared=True).write_durably(out.absolute(), feedback_bytes(learnt.feedback))
    except OSError as error:
        raise ConfigurationError(
            f"cannot write --out {printable(out)}: {error.strerror or error}; name a file in a "
            "folder that you may write to"
        ) from error


def _facts(learnt: "Learnt") -> dict[str, Any]:
    return {
        "sha256": learnt.feedback.sha256,
        **asdict(learnt.feedback),
        "reviewed": learnt.reviewed,
        "seen": learnt.seen,
        "random": learnt.random,
        "reviewed_suspects": learnt.suspects,
        "left_out": dict(learnt.left_out),
    }


def _show(learnt: "Learnt", out: Path | None) -> None:
    from agent.selection.feedback_words import proposed_thresholds

    made = learnt.feedback
    screen = Console(highlight=False, emoji=False, soft_wrap=True)
    screen.width = max(screen.width, _WIDTH)  # a row that is cut says less than a long line
    print(
        f"{made.captures} reviewed captures of {printable(made.model_name)} "
        f"(sha256 {made.model_sha256[:12]}), {learnt.random} of them drawn at random; "
        f"{learnt.suspects} suspects with a known outcome"
    )
    for reason, number in learnt.left_out.items():
        print(f"left out: {number}, {reason}")
    print()
    screen.print(_suspect_table(made.suspects))
    if len(made.suspects) > _SHOWN:
        print(f"and {len(made.suspects) - _SHOWN} more: --json has all")
    print()
    shown = [each for each in made.classes if each.objects]
    if shown:
        screen.print(_class_table(shown))
        if len(shown) > _SHOWN:
            print(f"and {len(shown) - _SHOWN} more: --json has all")
    if len(shown) < len(made.classes):
        print(f"no reviewed capture shows an object of {len(made.classes) - len(shown)} classes")
    if not learnt.random:
        print(
            "No reviewed capture was drawn at random: no AP, no threshold and no trust of any "
            "class. Review the captures of the lane random first."
        )
    thresholds = proposed_thresholds(made)
    if thresholds:
        print(f'proposed by the best F1, not applied: AGENT_THRESHOLDS="{thresholds}"')
    if out is not None:
        print(f"\nwritten: {printable(out)}, sha256 {made.sha256[:12]}")
        print("On each device: AGENT_FEEDBACK=its path, then systemctl reload capture-agent")
    else:
        print("\nnothing was written: -o FILE writes it")


def _suspect_table(suspects: "Sequence[SuspectFactor]") -> Table:
    """Return what moved most, first."""
    from agent.selection.feedback_words import strength

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("rule", "side", "label", "camera"):
        table.add_column(name)
    for name in ("reviewed", "expected", "failures", "p becomes"):
        table.add_column(name, justify="right")
    for each in sorted(suspects, key=lambda one: -strength(one))[:_SHOWN]:
        names = each.rule, each.side.value, each.label or "all", each.camera or "all"
        numbers = (
            f"{each.reviewed:.0f}",
            f"{each.expected:.1f}",
            f"{each.failures:.1f}",
            f"x{each.factor:.2f}",
        )
        table.add_row(*(Text(printable(name)) for name in names), *numbers)
    return table


def _class_table(classes: "Sequence[ClassFeedback]") -> Table:
    """Return the classes, those with the highest weight first."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("class")
    for name in ("objects", "lacks", "AP50", "weight", "best F1 at", "precision at least"):
        table.add_column(name, justify="right")
    for each in sorted(classes, key=lambda one: (-one.weight, one.label))[:_SHOWN]:
        best = max(each.trust, key=lambda one: one.precision_low, default=None)
        table.add_row(
            Text(printable(each.label)),
            str(each.objects),
            str(each.deficit),
            "unknown" if each.ap50 is None else f"{each.ap50:.2f}",
            f"x{each.weight:.2f}",
            "unknown" if each.best_threshold is None else f"{each.best_threshold:.2g}",
            "unknown"
            if best is None
            else f"{best.precision_low:.1%} from {best.confidence:.2g} ({best.reviewed} boxes)",
        )
    return table
