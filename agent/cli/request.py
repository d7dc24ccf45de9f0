"""`capture-agent request`: a person or a program wants a frame."""

import json
from typing import Annotated, Any

import typer

from agent.cli import console
from agent.cli.daemon import asked, pause
from agent.errors import TemporaryError
from agent.exchange.asks import AskKind
from agent.printable import printable
from agent.runtime.followed import CaptureState
from agent.system import SystemClock

POLL_S = 0.2
MOST_S = 300.0
"""Longest wait, in seconds; the daemon follows a request a little longer."""

_MEANING = {
    CaptureState.REQUESTED: "the camera has given no frame yet",
    CaptureState.CAPTURED: "captured, but not stored yet: the disk is slow or refuses writes",
    CaptureState.WAITING: "stored, waits for delivery",
    CaptureState.DELIVERED: "delivered",
    CaptureState.REJECTED: "the endpoint refused it",
    CaptureState.EVICTED: "dropped for want of disk space",
    CaptureState.REFUSED: "not captured",
}


def request(
    camera: Annotated[
        str, typer.Argument(help="Name of one camera.", show_default="each camera")
    ] = "",
    wait: Annotated[
        float,
        typer.Option(help="Seconds to wait until it is stored.", min=0.0, max=MOST_S),
    ] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask the running daemon to capture the next frame of a camera, or of each, and say its id.

    Example: capture-agent request gate

    Requested captures are sent first, and take at most a tenth of the labelling credits. A program
    may as well send SIGUSR1 to the daemon: systemctl kill --signal=USR1 capture-agent

    Exit codes: 0 all are stored, 1 there is no such camera, 3 no daemon runs, 75 not all are stored
    (a line says why), or the daemon cannot be asked now.
    """
    captures = _captures(camera, wait)
    if as_json:
        print(json.dumps({"captures": captures}))
    else:
        for capture in captures:
            print(_line(capture))
    if not all(_is_stored(capture) for capture in captures):
        raise typer.Exit(TemporaryError.exit_code)


def _captures(camera: str, wait: float) -> list[dict[str, Any]]:
    clock = SystemClock()
    with asked(console.settings().spool_dir, AskKind.CAPTURE, camera, clock=clock) as answering:
        until = clock.monotonic() + wait
        answer: dict[str, Any] | None = answering.first()
        while answer is not None:
            captures: list[dict[str, Any]] = answer["captures"]
            if clock.monotonic() >= until or not any(_is_under_way(each) for each in captures):
                return captures
            pause(POLL_S)
            answer = answering.latest()
    raise TemporaryError("cannot follow the request: the daemon took its answer back")


def _is_under_way(capture: dict[str, Any]) -> bool:
    return capture["state"] in {CaptureState.REQUESTED, CaptureState.CAPTURED}


def _is_stored(capture: dict[str, Any]) -> bool:
    return capture["state"] in {CaptureState.WAITING, CaptureState.DELIVERED}


def _line(capture: dict[str, Any]) -> str:
    meaning = _MEANING[CaptureState(capture["state"])]
    reason = f": {printable(capture['reason'], 400)}" if capture["reason"] else ""
    name = f"{capture['id']} " if capture["id"] else ""
    return f"{capture['camera']}: {name}{meaning}{reason}"
