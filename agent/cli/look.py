"""`capture-agent look`."""

import base64
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import console
from agent.cli.daemon import asked
from agent.errors import TemporaryError
from agent.exchange.asks import AskKind
from agent.files import Disk
from agent.printable import printable
from agent.record.seen import seen_words
from agent.settings.units import show_span
from agent.spool.status import best_waiting
from agent.system import SystemClock

if TYPE_CHECKING:  # OpenCV is loaded when there is something to draw
    from agent.dataset.contact_sheet import Picked

_DEFAULT = Path("look.jpg")
_WAITING = 12  # captures of a contact sheet
_COLUMNS = 3
_WIDTHS = (1280, 960, 640)  # pixels of one image where there is one, where there are two, or more
_QUALITY = 90


def look(
    camera: Annotated[
        str, typer.Argument(help="Name of one camera.", show_default="each camera")
    ] = "",
    out: Annotated[
        Path,
        typer.Option(help="JPEG file to write, replacing one that is there; - is standard output."),
    ] = _DEFAULT,
    waiting: Annotated[
        bool,
        typer.Option(
            "--waiting",
            help="Show the captures that wait on disk instead, those of the highest value first; "
            "needs no daemon.",
        ),
    ] = False,
) -> None:
    """Write an image of what the cameras see now, with the model's boxes, beside the daemon.

    Example: capture-agent look gate --out gate.jpg

    Of an installed service: sudo capture-agent as-service look --out - > look.jpg

    Exit codes: 0 the image shows each camera that was asked for, 1 there is no such camera, 3 no
    daemon runs, 75 there is no frame of one (a line says why) or the daemon cannot be asked now.
    """
    if str(out) == "-" and sys.stdout.isatty():
        raise typer.BadParameter("a terminal shows no JPEG: send the output to a file")
    if waiting:
        chosen = _waiting(camera)
        _write(chosen, out, f"{len(chosen)} of the captures that wait")
        return
    with asked(
        console.settings().spool_dir, AskKind.FRAMES, camera, clock=SystemClock()
    ) as answering:
        frames = answering.first()["frames"]
    for frame in frames:
        print(_line(frame), file=sys.stderr if str(out) == "-" else sys.stdout)
    seen = [frame for frame in frames if "jpeg" in frame]
    if seen:
        shown = ", ".join(frame["camera"] for frame in seen)
        _write([_picked(frame) for frame in seen], out, shown)
    if len(seen) < len(frames):
        raise typer.Exit(TemporaryError.exit_code)


def _waiting(camera: str) -> "list[Picked]":
    from agent.camera.images.file import decode_image
    from agent.dataset.contact_sheet import picked

    settings = console.settings()
    try:
        found = best_waiting(settings.spool_dir, _WAITING, camera=camera)
        chosen = [picked(capture.record, decode_image(capture.image)) for capture in found]
    except OSError as error:
        raise TemporaryError(f"cannot read the spool {settings.spool_dir}: {error}") from error
    if not chosen:
        of = f" of camera {printable(camera)}" if camera else ""
        raise TemporaryError(f"cannot show what waits: no capture{of} waits")
    return chosen


def _picked(frame: Mapping[str, Any]) -> "Picked":
    from agent.camera.images.file import decode_image
    from agent.dataset.contact_sheet import Picked

    record = frame["record"]
    first = f"{frame['camera']}   {record['captured_at']}   {show_span(frame['age_s'])} old"
    second = frame["error"] or seen_words(record)
    image = decode_image(base64.b64decode(frame["jpeg"]))
    return Picked(image, record, (first, printable(second)))


def _line(frame: Mapping[str, Any]) -> str:
    name = frame["camera"]
    if "jpeg" not in frame:
        return f"{name}: no frame: {printable(frame['error'])}"
    image = frame["record"]["image"]
    words = f"{name}: {show_span(frame['age_s'])} old, {image['width']}x{image['height']}"
    words += f", {seen_words(frame['record'])}"
    return f"{words}; {printable(frame['error'])}" if frame["error"] else words


def _write(chosen: "Sequence[Picked]", out: Path, what: str) -> None:
    import cv2

    from agent.dataset.contact_sheet import sheet

    width = _WIDTHS[min(len(chosen), len(_WIDTHS)) - 1]
    drawn = sheet(chosen, columns=min(_COLUMNS, len(chosen)), width=width)
    data = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    if str(out) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        Disk().write(out.absolute(), data)
    except OSError as error:
        raise TemporaryError(f"cannot write {out}: {error}") from error
    print(f"{out}: {what}")
