"""`capture-agent dataset health`: what a dataset holds, lacks, and what to do about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import console
from agent.cli.dataset.source import takes_buckets
from agent.errors import ConfigurationError, TemporaryError
from agent.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from agent.dataset.health.check import HealthTerms
    from agent.dataset.health.objects import Targets
    from agent.dataset.health.report import Health

_ALERTS_SHOWN = 20
_LARGEST_TARGET = 1_000_000_000
_FOLDER = "health"  # inside of the dataset
_TITLE = b"<title>Health of "


@console.errors_shown
@takes_buckets
def health(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Dataset folder of the agent, YOLO dataset, or COCO dataset."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for index.html, health.json and thumbnails. [default: DIR/health]"
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write one HTML file with a few images of each figure, to send around."),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N|LABEL=N",
            help="Objects wanted of each class, or of one; may be repeated. [default: a quarter of "
            "the most frequent class's, at least 100, at most 1500]",
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="Time zone of hours and days, such as Europe/Berlin. [default: local]"),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print health.json; without --out and --report write nothing."),
    ] = False,
) -> None:
    """Report what a dataset holds, what it lacks, and what to do about it.

    Example: capture-agent dataset health dataset --target 200 --target bus=500

    Classes, places, sizes, light, hours, cameras, duplicates and leaks; each bar of the page opens
    its images. It is a folder that opens from the disk, without a server.
    """
    import sys

    from agent.dataset.health import check
    from agent.files import is_disk_full

    console.require_replaceable(report, "--report", console.HTML)
    if out is not None:
        console.require_replaceable(out / check.PAGE, "--out", _TITLE)
    terms = check.HealthTerms(targets_of(target or []), _zone(timezone))
    try:
        found, written = _checked(directory, terms, out=out, report=report, is_read=as_json)
    except OSError as error:
        kind = TemporaryError if is_disk_full(error) else ConfigurationError
        raise kind(
            f"cannot write {printable(error.filename or out or report or directory)}: "
            f"{printable(error.strerror or error)}; choose another place with --out, or make room"
        ) from error
    if as_json:
        sys.stdout.write(check.report_bytes(found.report).decode())
    else:
        _show(found.report)
    for page in written:
        print(f"Open {printable(page, 1000)}", file=sys.stderr if as_json else sys.stdout)


def _checked(
    directory: Path, terms: "HealthTerms", *, out: Path | None, report: Path | None, is_read: bool
) -> "tuple[Health, list[Path]]":
    """Check and write; return the report and the pages. Raises `OSError`.

    `is_read`: what is printed is enough, unless `out` or `report` is given.
    """
    from contextlib import ExitStack

    from agent import __version__
    from agent.cli.dataset.progress import progress_bar
    from agent.dataset.health import check
    from agent.files import Disk
    from agent.system import SystemClock

    disk = Disk(is_shared=True)
    with ExitStack() as stack:
        folder = out
        if folder is None and report is not None:
            folder = Path(stack.enter_context(check.temporary_folder()))
        elif folder is None and not is_read:
            folder = directory / _FOLDER
        folder = folder.absolute() if folder is not None else None
        found = check.measured_health(
            directory,
            now=SystemClock().wall(),
            agent=__version__,
            terms=terms,
            out=folder,
            disk=disk,
            advance=stack.enter_context(progress_bar("measuring images")),
        )
        written = []
        if folder is not None and (report is None or out is not None):
            written.append(check.write_folder(found, folder, disk))
        if report is not None and folder is not None:
            check.write_page(found, folder, report.absolute(), disk)
            written.append(report)
    return found, written


def targets_of(texts: list[str]) -> "Targets":
    """Return the targets of `N` and `LABEL=N`; raise `ConfigurationError` for all bad ones."""
    from agent.dataset.health.objects import Targets

    every: int | None = None
    single: dict[str, int] = {}
    wrong = []
    for text in texts:
        label, _, count = text.rpartition("=")
        if not count.isascii() or not count.isdecimal() or not 0 <= int(count) <= _LARGEST_TARGET:
            wrong.append(
                f"cannot use --target {printable(text)}: it must be a number of objects such as "
                "200, or a class with its own such as bus=500"
            )
        elif label:
            single[label] = int(count)
        else:
            every = int(count)
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    return Targets(every, tuple(single.items()))


def _zone(name: str | None) -> "tzinfo | None":
    from zoneinfo import ZoneInfo

    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"cannot use --timezone {printable(name)}: no such time zone is installed; name one "
            "such as Europe/Berlin or UTC"
        ) from error


def _show(report: "Mapping[str, Any]") -> None:
    images = report["images"]
    print(
        f"{images['total']} images, {images['objects']} objects, "
        f"{sum(each['objects'] > 0 for each in report['classes'])} classes, "
        f"{images['empty']} images without an object."
    )
    alerts = report["alerts"]
    for alert in alerts[:_ALERTS_SHOWN]:
        print(f"{alert['severity']:<7} {alert['text']}\n        -> {alert['advice']}")
    if not alerts:
        print("No alerts.")
    if len(alerts) > _ALERTS_SHOWN:
        print(f"{len(alerts) - _ALERTS_SHOWN} more alerts are in the report.")
