"""`capture-agent receive`."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.stopped_limit import STOPPED_MAX, stopped_limit
from agent.dataset.clip_files import ClipForm
from agent.errors import ConfigurationError
from agent.fleet.reading import DEVICES_MAX
from agent.printable import printable
from agent.settings.secret_file import read_secret


def receive(
    directory: Annotated[
        Path, typer.Option("--dir", help="Dataset folder; made when it is missing.")
    ],
    port: Annotated[
        int, typer.Option(help="TCP port; 0 picks a free one.", min=0, max=65535)
    ] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 serves the whole network.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None, typer.Option(help="File that holds the token agents must send.")
    ] = None,
    clips: Annotated[
        ClipForm, typer.Option(help="What the clip of a capture becomes, in clips/ID.")
    ] = ClipForm.FRAMES,
    devices_max: Annotated[
        int, typer.Option(help="Most devices whose heartbeats are kept.", min=1, max=DEVICES_MAX)
    ] = 5000,
    new_devices_max: Annotated[
        int,
        typer.Option(help="Most devices that may send their first heartbeat in an hour.", min=1),
    ] = 1000,
    stopped_max: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="How long a device may be stopped until it needs somebody at /fleet, or off.",
        ),
    ] = STOPPED_MAX,
) -> None:
    """Receive captures into a dataset folder: a small real endpoint for tests and for a LAN.

    Example: capture-agent receive --dir dataset --port 8000

    Prints a line for each capture: stored or repeat, device, camera, lane, size, id, and the
    verdicts that it brings, which become lines of verdicts.jsonl; one for the first heartbeat of
    each device, whose latest status is in devices/; and for each refused request the sender, the
    HTTP status and the reason, repeats within 10 s as a number. A browser sees all devices at
    /fleet, with the token as the password.
    """
    from agent.factories.datasets import dataset_at, receiver_of
    from agent.log_queue import LogQueue
    from agent.receiver.limits import Limits

    token = _token(token_file)
    longest = stopped_limit(stopped_max)
    dataset = dataset_at(directory, clips=clips)
    try:
        dataset.count()
    except OSError as error:
        raise ConfigurationError(
            f"cannot use --dir {directory}: {error.strerror}; name a folder, or a new one"
        ) from error
    _require_writable(directory)
    try:
        lines = LogQueue(sys.stdout)  # deliveries wait for no reader of the lines
        receiver = receiver_of(
            dataset,
            host=host,
            port=port,
            token=token,
            write=lines.write,
            limits=Limits(
                devices=devices_max, new_devices_per_hour=new_devices_max, stopped_max=longest
            ),
        )
    except OSError as error:
        raise ConfigurationError(
            f"cannot receive on {host}:{port}: {error.strerror}; choose another --port or --host"
        ) from error
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    receiver.start()
    print(f"receiving into {directory} on {receiver.url}", flush=True)
    print(f"the fleet is shown at {receiver.fleet_url}", flush=True)
    if token is None and host not in {"127.0.0.1", "::1", "localhost"}:
        print(
            "warning: without --token-file everybody on the network can send, and see the fleet",
            flush=True,
        )
    stop.wait()
    receiver.stop()
    lines.close(1.0)


def _require_writable(directory: Path) -> None:
    """Raise `ConfigurationError` where nothing could be stored, before a device sends in vain."""
    place = directory.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"cannot use --dir {printable(directory)}: {printable(place)} cannot be written; mount "
            "it for writing, give this user the rights, or name another folder"
        )


def _token(file: Path | None) -> str | None:
    if file is None:
        return None
    token = read_secret(file, what="--token-file")
    if not token:
        raise ConfigurationError(f"cannot use --token-file {file}: it is empty")
    return token
