"""`capture-agent replay`: the daemon's selection over recordings."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agent.cli import console
from agent.errors import CameraLost, ConfigurationError
from agent.files import Disk

if TYPE_CHECKING:  # they load the camera and model libraries
    from agent.camera.address import CameraAddress
    from agent.camera.length import Length
    from agent.camera.masks import CameraMask
    from agent.domain import Task
    from agent.replay.recording import RecordingResult, ReplayParts
    from agent.selection.feedback import Feedback
    from agent.selection.plan import SelectionPlan
    from agent.settings.declarations import Settings

MOST_FPS = 1000.0
_MOST_SIZES = 3
SEED = "replay"
"""Of the random lane, where AGENT_DEVICE_ID is not set: the same on every computer."""


@dataclass(frozen=True, slots=True)
class _Input:
    address: "CameraAddress"
    length: "Length"
    name: str  # sets apart recordings, also those whose files have the same name
    masks: "tuple[CameraMask, ...]"


def replay(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Video files and folders of images.")
    ],
    fps: Annotated[
        float | None,
        typer.Option(
            help="Frames analysed per second; 0 = each. [default: AGENT_FPS]", min=0, max=MOST_FPS
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            help="Credits for each recording, such as 20 or 0.5; 0 = no limit. "
            "[default: AGENT_BUDGET_PER_DAY]",
            min=0,
            max=1_000_000,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Empty or new folder for the dataset and report.json."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json.")] = False,
    page: Annotated[
        Path | None, typer.Option("--report", help="Also write one HTML page to look at.")
    ] = None,
    explain: Annotated[
        list[int] | None,
        typer.Option(help="Say why this frame was captured or not; may be repeated.", min=0),
    ] = None,
) -> None:
    """Show what the daemon would capture from recordings, as fast as this computer can.

    Example: capture-agent replay street.mp4 --budget 20 --report street.html

    Model, thresholds, rules, AGENT_FEEDBACK and AGENT_MIN_VALUE come from the settings, where they
    are set. Each recording counts as one day: its credits accrue over its length. Nothing is
    uploaded.
    """
    from agent.factories.feedback import feedback_of
    from agent.factories.model import detector_of, inference_workers

    settings = console.settings()
    rate = settings.fps if fps is None else fps
    inputs = _inputs(sources, rate, settings)
    folder = _folder(out)
    console.require_writable(page, "--report")
    console.require_replaceable(page, "--report", console.HTML)
    detector = detector_of(settings)
    feedback = feedback_of(settings, detector.info)
    plan = _plan(settings, budget, detector.info.task)
    parts = _parts(settings, folder, detector, inference_workers(settings))
    try:
        results = _play(inputs, plan, parts, fps=rate, explain=explain or [], feedback=feedback)
    except CameraLost as error:
        raise ConfigurationError(f"cannot replay: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"cannot write into {folder}: {error}") from error
    from agent.files import Disk
    from agent.replay.page import page_of
    from agent.replay.report import report_of

    report = report_of(
        results,
        plan=plan,
        model=parts.detector.info,
        feedback=feedback.sha256 if feedback is not None else None,
        fps=rate,
        warnings=[
            *(
                f"{result.source}: the whole image of frames is hidden: {result.misfit}"
                for result in results
                if result.misfit
            ),
            *parts.thresholds.warnings(),
            *_too_small(plan.per_day),
        ],
    )
    text = json.dumps(report, ensure_ascii=False, indent=1) + "\n"
    disk = Disk()
    try:
        disk.make_directory(folder)
        disk.write_durably(folder / "report.json", text.encode())
        if page is not None:
            disk.write(page.absolute(), page_of(report, folder).encode())
    except OSError as error:
        raise ConfigurationError(f"cannot write the report: {error}") from error
    if as_json:
        sys.stdout.write(text)
    else:
        _show(report, results, folder, page)


def _too_small(per_day: float) -> list[str]:
    """Say why nothing is chosen with less than a credit: a recording counts as one day."""
    if not 0 < per_day < 1:
        return []
    why = "buys nothing in one recording, which counts as a day"
    fix = "--budget 1 shows the capture that a credit would buy"
    return [f"the budget of {per_day:g} credits a day {why}; {fix}"]


def _inputs(sources: list[str], fps: float, settings: "Settings") -> list[_Input]:
    """All recordings, measured, so that none is missing after an hour of work on another."""
    from agent.camera.length import length_of
    from agent.camera.recording import Recording, RecordingTime
    from agent.factories.cameras import masks_of_recording
    from agent.replay.frames import address_of

    inputs: list[_Input] = []
    for source in sources:
        try:
            address = address_of(source)
            probe = Recording(address, fps=0, clock=RecordingTime())
            probe.read()
            probe.close()
            length = length_of(address, fps=fps)
        except (CameraLost, ValueError) as error:
            raise ConfigurationError(f"cannot replay: {error}") from error
        name = f"{Path(source).absolute().name}\0{_size(Path(source))}"
        same = sum(each.name.startswith(name) for each in inputs)
        name = f"{name}\0{same}" if same else name
        inputs.append(_Input(address, length, name, masks_of_recording(address, settings)))
    return inputs


def _size(source: Path) -> int:
    """Return the bytes of a recording: those of one name are often others, such as `img1`.

    The ids of captures depend on it, so that replays of two of them can be merged.
    """
    disk = Disk()
    found = sum(file.size for file in disk.files(source.absolute())) if source.is_dir() else 0
    return found or disk.size(source.absolute())


def _folder(out: Path | None) -> Path:
    if out is None:
        return console.new_folder(Path("capture-agent-replay")).absolute()
    try:
        if out.exists() and any(out.iterdir()):
            raise ConfigurationError(
                f"cannot use --out {out}: it is not empty; name a new folder, or leave --out away"
            )
    except OSError as error:
        raise ConfigurationError(f"cannot use --out {out}: {error.strerror}") from error
    return out.absolute()


def _plan(settings: "Settings", budget: float | None, task: "Task") -> "SelectionPlan":
    from agent.factories.selection import plan_for

    plan, _ = plan_for(settings, task)
    if "device_id" not in settings.model_fields_set:
        plan = replace(plan, seed=SEED)
    return plan if budget is None else replace(plan, per_day=budget)


def _parts(settings: "Settings", folder: Path, detector: Any, workers: int) -> "ReplayParts":
    from agent.factories.datasets import dataset_at
    from agent.factories.images import clip_encoder, image_encoder, record_maker
    from agent.replay.recording import ReplayParts
    from agent.selection.threshold_check import ThresholdCheck

    maker = record_maker(settings, detector.info, boot="recording")
    if "device_id" not in settings.model_fields_set:
        maker = replace(maker, device=SEED)
    return ReplayParts(
        detector,
        image_encoder(settings),
        maker,
        dataset_at(folder),
        ThresholdCheck(maker.thresholds),
        workers,
        None if settings.clip is None else (settings.clip, clip_encoder(settings)),
    )


def _play(
    inputs: list[_Input],
    plan: "SelectionPlan",
    parts: "ReplayParts",
    *,
    fps: float,
    explain: list[int],
    feedback: "Feedback | None",
) -> "list[RecordingResult]":
    from agent.replay.recording import Replay

    screen = Console(stderr=True)
    results = []
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    ) as progress:
        for each in inputs:
            total = each.length.analysed(fps)
            task = progress.add_task(Path(each.address.source).name, total=total)
            own = replace(plan, period_s=max(each.length.seconds, 1e-3))
            run = Replay(
                each.address,
                each.length,
                own,
                parts,
                fps=fps,
                name=each.name,
                masks=each.masks,
                explain=explain,
                feedback=feedback,
            )
            results.append(run.run(lambda done, task=task: progress.update(task, completed=done)))  # type: ignore[misc]
    return results


def _listed(sizes: dict[str, int]) -> str:
    """Return the most frequent sizes with the number of frames of each."""
    first = list(sizes.items())[:_MOST_SIZES]
    more = ", ..." if len(sizes) > _MOST_SIZES else ""
    return ", ".join(f"{size} ({count})" for size, count in first) + more


def _show(
    report: dict[str, Any], results: "list[RecordingResult]", folder: Path, page: Path | None
) -> None:
    seconds = sum(result.seconds for result in results)
    analysed = report["frames_analysed"]
    for source in report["sources"]:
        used = source["budget_used"]
        share = "" if used is None else f", {used:.0%} of the budget"
        print(
            f"{source['source']}: {source['frames_analysed']} of {source['frames']} frames "
            f"analysed, {source['held']} held, {source['chosen']} chosen{share}"
        )
        if source["unreadable"]:
            print(
                f"  {source['unreadable']} could not be decoded or show missing data, and were "
                f"skipped; the first is {source['why_unreadable']}"
            )
        if source["passed_over"]:
            print(f"  passed over, as no images: {source['passed_over']}")
        if len(source["sizes"]) > 1:
            print(f"  its frames have {len(source['sizes'])} sizes: {_listed(source['sizes'])}")
    for title, name in (("by rule", "captures_by_rule"), ("by lane", "captures_by_lane")):
        counts = ", ".join(f"{key} {count}" for key, count in report[name].items())
        print(f"{title}: {counts or 'none'}")
    print(
        f"to expect for a camera: {report['captures_per_day']:g} captures a day, "
        f"{report['mb_per_day']:.1f} MB sent, {report['stored_mb_per_day']:.1f} MB written to disk"
    )
    for warning in report["warnings"]:
        print(f"warning: {warning}")
    print(f"speed: {analysed / max(seconds, 1e-9):.1f} frames a second")
    print(f"dataset: {folder}")
    if page is not None:
        print(f"page: {page}")
    for result in results:
        for explanation in result.explanations:
            print(f"\n{explanation.text}")
