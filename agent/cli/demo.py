"""`capture-agent demo`: the main job with nothing to configure."""

import errno
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from agent.cli import console
from agent.errors import AgentError, ConfigurationError
from agent.printable import printable
from agent.system import SystemClock, SystemdNotifier

if TYPE_CHECKING:  # loaded when the demo runs: they are costly
    from agent.dataset.folder import Dataset
    from agent.receiver.receiver import Receiver

FPS = 10.0
MIN_VALUE = 0.5
"""Expected new failures. The clip is short and full of doubts: at the default of 0.1 most of its
frames would be captured."""
TICK_S = 0.05
_LOOP_MB = 20  # of all that --loop leaves, with some room


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demonstration shows at its end."""

    frames: int
    captures: int
    by_rule: Mapping[str, int]  # a capture that two rules asked for counts for both
    cached_offline: int
    delivered: int
    duplicates: int
    left: int


def demo(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="New folder for what the demo makes.")
    ] = None,
    clip: Annotated[
        Path | None, typer.Option(help="Another video than the sample clip.", exists=True)
    ] = None,
    loop: Annotated[
        bool,
        typer.Option(
            "--loop",
            help="Instead: two days of a drawn street, with review and feedback between them.",
        ),
    ] = False,
) -> None:
    """Watch a clip with the bundled model, lose the network for its middle third, deliver all.

    Example: capture-agent demo

    Leaves a dataset folder, a contact sheet of what was captured, and the daemon's log. With --loop
    it leaves the captures and reviews of both rounds, feedback.json, evaluation.html and loop.svg:
    how many distinct failures each credit found.
    """
    if loop and clip is not None:
        raise ConfigurationError(
            "cannot play --loop on --clip: nobody knows what is in it; leave one of them away"
        )
    folder = directory or console.new_folder(Path("capture-agent-demo"))
    _make_new(folder)
    screen = Console(highlight=False, emoji=False)
    if loop:
        _play_loop(folder, screen)
        return
    source = clip or _sample_clip(folder / "street.mp4")
    outcome = play(source, folder.absolute(), screen, **_hidden(clip))
    screen.print(_table(outcome))
    sheet = _draw_sheet(folder)
    screen.print(f"dataset        {folder / 'dataset'}", markup=False, soft_wrap=True)
    screen.print(f"contact sheet  {sheet}", markup=False, soft_wrap=True)
    screen.print(f"daemon's log   {folder / 'agent.log'}", markup=False, soft_wrap=True)


def _make_new(folder: Path) -> None:
    """Make `folder`; an empty one will do. Raises `ConfigurationError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise ConfigurationError(f"cannot make the folder {folder}: {error.strerror}") from error
    if not is_empty:
        raise ConfigurationError(
            f"cannot use the folder {folder}: it is not empty; delete it, or give --dir the name "
            "of a new one"
        )


def _play_loop(folder: Path, screen: Console) -> None:
    from agent.cli.demo_loop import THRESHOLD, play_loop, table_of

    try:
        result = play_loop(folder.absolute(), screen)
    except KeyboardInterrupt:
        print(f"\ncapture-agent: stopped; {folder} is not complete: delete it", file=sys.stderr)
        raise
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise
        raise AgentError(
            f"cannot write in {folder}: {error.strerror or printable(error)}; the demo needs "
            f"{_LOOP_MB} MB there. Delete the folder, and start again"
        ) from error
    screen.print(table_of(result))
    screen.print(
        f"Both days are drawn, so their truth is known. The threshold of {THRESHOLD:g} is too high "
        "for this street: reviews show that what is below it is mostly missed, and round two "
        "looks there. At a good threshold there is less to learn: see docs/loop.md."
    )
    for name, path in (
        ("chart", "loop.svg"),
        ("dataset, reviewed", "dataset"),
        ("reviews", "reviews-1.jsonl"),
        ("feedback", "feedback.json"),
        ("evaluation", "evaluation.html"),
    ):
        screen.print(f"{name:18} {folder / path}", markup=False, soft_wrap=True)


def _hidden(clip: Path | None) -> dict[str, Any]:
    """Return what must not be seen of an own clip; raises `ConfigurationError`."""
    if clip is None:
        return {}
    from agent.factories.cameras import masks_of_recording
    from agent.replay.frames import address_of

    settings = console.settings()
    try:
        masks = masks_of_recording(address_of(str(clip)), settings)
    except ValueError as error:
        raise ConfigurationError(f"cannot play {error}") from error
    return {"masks": tuple(replace(mask, camera="") for mask in masks), "redact": settings.redact}


def play(source: Path, folder: Path, screen: Console, **hidden: Any) -> DemoResult:
    """Run the real daemon on a recording, with a real endpoint that is away for a while.

    `hidden` are the settings of what nobody may see.
    """
    from agent.app import Timing, wired
    from agent.camera.address import parse_camera
    from agent.factories.datasets import dataset_at
    from agent.factories.delivery import drain_of, upload_target
    from agent.logs import make_log
    from agent.settings.load import without_environment

    frames = clip_frames(source)
    network = SimulatedNetwork(dataset_at(folder / "dataset"))
    clock = SystemClock()
    settings = without_environment(
        cameras=(parse_camera(str(source.absolute()), name="street"),),
        device_id="demo",
        fps=FPS,
        random_interval=2.0,
        budget_per_day=0,
        min_value=MIN_VALUE,
        spool_dir=folder / "spool",
        spool_min_free=0,
        upload_url=network.url,
        heartbeat=None,
        **hidden,
    )
    with (folder / "agent.log").open("w", encoding="utf-8") as file:
        log = make_log(form="logfmt", stream=file)
        timing = Timing(first_upload_bound_s=0.0, waits_for_disk=False)
        with wired(
            settings, clock=clock, notifier=SystemdNotifier(None), log=log, timing=timing
        ) as agent:
            daemon = threading.Thread(target=agent.supervisor.run, name="daemon")
            daemon.start()
            cached = 0
            with _progress(screen) as progress:
                task = progress.add_task("", total=frames, network="", waiting=0)
                while daemon.is_alive():
                    came = agent.mailbox.counts()
                    done = came.taken + came.dropped  # a slow computer does not analyse each
                    network.follow(done / max(frames, 1))
                    waiting = agent.spool.waiting()
                    cached = max(cached, waiting if not network.up else 0)
                    _show(progress, task, done=done, waiting=waiting, network=network)
                    daemon.join(TICK_S)
                network.follow(1.0)
                target = upload_target(settings, clock=clock)
                assert target is not None  # noqa: S101 (the settings above name one)
                drain = drain_of(settings, agent.spool, target, clock=clock, log=log)
                drain.run(
                    lambda: _show(
                        progress, task, done=frames, waiting=agent.spool.waiting(), network=network
                    )
                )
            total = agent.stats.total()
            counts, left = agent.spool.counts(), agent.spool.waiting()
    network.stop()
    return DemoResult(
        frames=total["analysed"],
        captures=total["captured"],
        by_rule={
            name.removeprefix("captured/"): n
            for name, n in sorted(total.items())
            if name.startswith("captured/")
        },
        cached_offline=cached,
        delivered=counts.get("delivered", 0),
        duplicates=network.duplicates,
        left=left,
    )


class SimulatedNetwork:
    """A receiver on loopback that is away for the middle third."""

    def __init__(self, dataset: "Dataset") -> None:
        self._dataset = dataset
        self._receiver = self._listen(0)
        self.url = self._receiver.url
        self.up = True
        self.duplicates = 0

    def follow(self, position: float) -> None:
        """Be there or away, as the position in the clip (0 to 1) asks."""
        wanted = not 1 / 3 <= position < 2 / 3
        if wanted and not self.up:
            self._receiver = self._listen(self._receiver.port)
        elif self.up and not wanted:
            self._receiver.stop()
            self.duplicates += self._receiver.duplicates
        self.up = wanted

    def stop(self) -> None:
        """End it for good."""
        if self.up:
            self._receiver.stop()
            self.duplicates += self._receiver.duplicates

    def _listen(self, port: int) -> "Receiver":
        from agent.factories.datasets import receiver_of

        receiver = receiver_of(self._dataset, port=port)
        receiver.start()
        return receiver


def clip_frames(source: Path) -> int:
    """How many frames of a clip the demo analyses; raises `ConfigurationError`."""
    from agent.camera.address import parse_camera
    from agent.camera.length import length_of
    from agent.errors import CameraLost

    try:
        return length_of(parse_camera(str(source.absolute())), fps=FPS).analysed(FPS)
    except (CameraLost, ValueError) as error:
        raise ConfigurationError(f"cannot play {printable(source)}: {error}") from error


def _sample_clip(path: Path) -> Path:
    from agent.cli.sample_clip import sample_clip
    from agent.files import Disk

    Disk().write(path.absolute(), sample_clip())
    return path


def _progress(screen: Console) -> Progress:
    return Progress(
        TextColumn("frames"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("network {task.fields[network]}"),
        TextColumn("{task.fields[waiting]} waiting on disk"),
        console=screen,
    )


def _show(
    progress: Progress, task: TaskID, *, done: int, waiting: int, network: SimulatedNetwork
) -> None:
    state = "[green]up[/]  " if network.up else "[red]down[/]"
    progress.update(task, completed=done, waiting=waiting, network=state)


def _table(outcome: DemoResult) -> Table:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("frames analysed", str(outcome.frames))
    table.add_row("captures", str(outcome.captures))
    for rule, count in outcome.by_rule.items():
        table.add_row(f"  {rule}", str(count))
    table.add_row("cached while offline", str(outcome.cached_offline))
    table.add_row("delivered", str(outcome.delivered))
    table.add_row("delivered twice", str(outcome.duplicates))
    table.add_row("left on disk", str(outcome.left))
    return table


def _draw_sheet(folder: Path) -> Path:
    import cv2

    from agent.dataset.contact_sheet import contact_sheet
    from agent.files import Disk

    path = folder / "contact-sheet.jpg"
    _, data = cv2.imencode(".jpg", contact_sheet(folder / "dataset"))
    Disk().write(path.absolute(), data.tobytes())
    return path
