"""`capture-agent review`."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer


def review(
    source: Annotated[str, typer.Argument(metavar="DIR", help="Dataset folder with captures.")],
    port: Annotated[
        int, typer.Option(help="TCP port; 0 picks a free one.", min=0, max=65535)
    ] = 8790,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback it needs --token-file.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token that a browser asks for as the password."),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="PEM file with a certificate and its key: serves HTTPS.")
    ] = None,
    by: Annotated[
        str, typer.Option(help="Name of the reviewer; else the page asks for it once.")
    ] = "",
) -> None:
    """Review captures in a browser: say what is right or wrong, and correct the boxes.

    Example: capture-agent review dataset

    Prints the address of the page, and serves it until Ctrl-C. Each verdict becomes a line of
    DIR/verdicts.jsonl, and corrected boxes the labels in DIR/labels. Captures that arrive meanwhile
    appear in the page. Several people may review at once. Needs the extra [web].
    """
    from agent.factories.reviews import open_review

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_review(
        source, host=host, port=port, token_file=token_file, certificate=tls_cert, by=by
    ) as opened:
        print(f"review {opened.directory} at {opened.url}", flush=True)
        for line in opened.warnings:
            print(line, flush=True)
        print("Ctrl-C ends it; every verdict is stored at once.", flush=True)
        stop.wait()
