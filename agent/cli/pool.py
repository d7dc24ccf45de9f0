"""`capture-agent pool`: which images of a large pool would show the most failures."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from agent.cli import console
from agent.cli.pool_progress import analysis_shown
from agent.printable import printable

if TYPE_CHECKING:
    from agent.settings.declarations import Settings

_MOST_NAMED = 3  # unreadable images
_LONGEST = 300  # characters of a path


def pool(  # noqa: PLR0913, PLR0917 (options of a command)
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Folders of any depth, images, recordings, dataset folders, s3://BUCKET/PREFIX.",
        ),
    ],
    take: Annotated[int, typer.Option(help="How many images to choose.", metavar="N")],
    out: Annotated[
        str,
        typer.Option(
            help="New folder for the chosen images, or s3://BUCKET/PREFIX. That of an earlier "
            "call: go on there, or choose again without analysing again.",
            metavar="DIR",
        ),
    ],
    after: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder of a former choice, or any dataset folder: its images count as shown. "
            "May be repeated.",
            metavar="DIR",
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="local, or ray: on a cluster.")] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="Of a Ray cluster. [default: one on this machine]", metavar="ADDR"),
    ] = None,
    per_camera: Annotated[
        int | None, typer.Option(help="The most images of one camera.", metavar="N")
    ] = None,
    per_class: Annotated[
        list[str] | None,
        typer.Option(
            help="The most images of one class: N, or LABEL=N. May be repeated.",
            metavar="N|LABEL=N",
        ),
    ] = None,
    degraded: Annotated[
        int | None,
        typer.Option(
            help="The most dark, overexposed and blurred images. [default: 5 % of --take, at "
            "least 1]",
            metavar="N",
        ),
    ] = None,
    feedback: Annotated[
        Path | None,
        typer.Option(
            help="Feedback file, for the weights of classes. [default: AGENT_FEEDBACK]",
            metavar="FILE",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that analyse. [default: one for each core]", metavar="N"),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            help="Frames analysed per second of a recording; 0 = each. [default: AGENT_FPS]",
            min=0,
            max=1000,
        ),
    ] = None,
    ids: Annotated[
        bool,
        typer.Option("--ids", help="Copy no image: write ids.txt, to ask devices for them."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json.")] = False,
) -> None:
    """Choose the images of a pool that would show the most failures, once labelled.

    Example: capture-agent pool /data/photos street.mp4 --take 200 --out chosen

    Each image is analysed once and what was found is kept in DIR, so that an interrupted call goes
    on, and a call with another N, other bounds or another feedback file only chooses again. Model,
    thresholds and rules come from the settings.
    """
    from agent.factories.pool_libraries import need_pool_libraries
    from agent.factories.pool_run import PoolCall, PoolRun

    need_pool_libraries(with_ray=engine == "ray")
    call = PoolCall(
        tuple(sources),
        out,
        take,
        tuple(after or ()),
        per_camera,
        tuple(per_class or ()),
        degraded=degraded,
        ids=ids,
        feedback="AGENT_FEEDBACK" if feedback is None else "--feedback",
    )
    settings = _settings(feedback, fps)
    run = PoolRun(settings, call, engine=engine, address=address, workers=workers)
    with _counter("listing") as counted:
        run.list_items(counted)
    with run.owned():
        with analysis_shown("analysing") as told:
            run.analyse(told)
        with _counter("choosing") as counted:
            run.choose(counted)
        with console.progress("copying", run.chosen_count, "images") as copied:
            report = run.write(copied)
    if as_json:
        from agent.pool.output.write import report_text

        sys.stdout.write(report_text(report))
    else:
        _show(report, out, ids=ids)


def _settings(feedback: Path | None, fps: float | None) -> "Settings":
    changed: dict[str, Any] = {}
    if feedback is not None:
        changed["feedback"] = feedback
    if fps is not None:
        changed["fps"] = fps
    return console.settings().model_copy(update=changed)


@contextmanager
def _counter(what: str) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many there are so far."""
    screen = Console(stderr=True)
    with screen.status(f"{what} ...") if screen.is_terminal else _nothing() as status:

        def counted(number: int) -> None:
            if status is not None:
                status.update(f"{what} ... {number:,}")

        yield counted


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _other_files(passed_over: dict[str, int]) -> str:
    """Return the most frequent endings of files that are not read; empty without any."""
    endings = [(kind, count) for kind, count in passed_over.items() if kind.startswith(".")]
    named = [f"{count:,} {kind}" for kind, count in endings[:_MOST_NAMED]]
    rest = sum(count for _, count in endings[_MOST_NAMED:])
    return ", ".join([*named, *([f"{rest:,} others"] if rest else [])])


def _show(report: dict[str, Any], out: str, *, ids: bool) -> None:
    place = out.rstrip("/")
    for source in report["sources"]:
        if source["problem_count"]:
            print(f"{source['source']}: cannot list {source['problem_count']:,} of its files")
            for problem in source["problems"][:_MOST_NAMED]:
                print(f"  {printable(problem, _LONGEST)}")
        if others := _other_files(source["passed_over"]):
            print(f"{source['source']}: passed over files that are not read: {others}")
    images, cameras = (
        f"{count:,} {word}{'s' * (count != 1)}"
        for count, word in ((report["images"], "image"), (len(report["cameras"]), "camera"))
    )
    print(f"analysed: {images} of {cameras}")
    if report["unreadable"]:
        print(f"unreadable: {report['unreadable']:,}, all of them in {place}/report.json")
        for image in report["images_unreadable"][:_MOST_NAMED]:
            print(f"  {printable(image['key'], _LONGEST)}: {printable(image['problem'])}")
    for name, count in report["other_models"].items():
        print(f"made by another model, {printable(name)}: {count:,}, analysed with this one")
    _show_left_out(report)
    print(
        f"chosen: {report['chosen']:,}, expected to show {report['expected_failures']:,.1f} "
        f"failures for the first time; no other choice can show more than "
        f"{report['most_possible']:,.1f}"
    )
    for warning in report["warnings"]:
        print(f"warning: {printable(warning, 1000)}")
    print(f"page: {place}/report.html")
    print(f"ids: {place}/ids.txt" if ids else f"next: capture-agent review {place}")


def _show_left_out(report: dict[str, Any]) -> None:
    left_out = [
        f"{report[name]:,} {words}"
        for name, words in (
            ("shown_before", "chosen before"),
            ("near_duplicates", f"near-duplicate{'s' * (report['near_duplicates'] != 1)}"),
            ("unusable", "black, covered or frozen"),
        )
        if report[name]
    ]
    if left_out:
        print(f"left out: {', '.join(left_out)}")
    if report["degraded"]:
        print(
            f"dark, overexposed or blurred: {report['degraded']:,}, of which "
            f"{report['degraded_chosen']:,} are chosen (--degraded "
            f"{report['settings']['degraded']:,})"
        )
