"""`capture-agent request`: a person or a program wants a frame."""

import json
from typing import Annotated, Any

import typer

from agent.cli import console
from agent.cli.daemon import asked, pause
from agent.domain import ClipSpan
from agent.errors import TemporaryError
from agent.exchange.asks import AskKind
from agent.printable import printable
from agent.runtime.followed import CaptureState
from agent.system import SystemClock

POLL_S = 0.2
STORED_S = 10.0
"""Seconds in which a capture is usually stored, from the request or from the end of its clip."""
MOST_S = 300.0
"""Longest wait, in seconds; the daemon follows a request a little longer."""

_MEANING = {
    CaptureState.REQUESTED: "waits for the next frame of the camera",
    CaptureState.CAPTURED: (
        "captured, but not stored yet: its clip (AGENT_CLIP) has not ended, or the disk is slow or "
        "refuses writes"
    ),
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
        float | None,
        typer.Option(
            help="Seconds to wait until it is stored.",
            show_default="10, and the time after a capture that AGENT_CLIP keeps",
            min=0.0,
            max=MOST_S,
        ),
    ] = None,
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
            print(outcome(capture))
    if not all(_is_stored(capture) for capture in captures):
        raise typer.Exit(TemporaryError.exit_code)


def seconds_to_wait(wait: float | None, clip: ClipSpan | None) -> float:
    """Return the seconds until a capture should be stored; `wait` is what the user asked for."""
    if wait is not None:
        return wait
    return STORED_S + (clip.after if clip is not None else 0.0)


def _captures(camera: str, wait: float | None) -> list[dict[str, Any]]:
    clock = SystemClock()
    settings = console.settings()
    with asked(settings.spool_dir, AskKind.CAPTURE, camera, clock=clock) as answering:
        until = clock.monotonic() + seconds_to_wait(wait, settings.clip)
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


def outcome(capture: dict[str, Any]) -> str:
    """Return the line that says what became of a requested capture."""
    meaning = _MEANING[CaptureState(capture["state"])]
    reason = f": {printable(capture['reason'], 400)}" if capture["reason"] else ""
    name = f"{capture['id']} " if capture["id"] else ""
    return f"{capture['camera']}: {name}{meaning}{reason}"
