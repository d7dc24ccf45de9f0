"""`capture-agent review`."""

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.dataset.source import CacheOption, opened_dataset
from agent.errors import ConfigurationError, TemporaryError
from agent.redaction import redact

if TYPE_CHECKING:
    from agent.factories.datasets import LocalDataset

_RENEWED_EACH_S = 60.0  # seconds between two looks at a bucket


def review(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            help="Dataset folder with captures, or s3://BUCKET/PREFIX as in AGENT_UPLOAD_URL.",
        ),
    ],
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
    cache: CacheOption = None,
) -> None:
    """Review captures in a browser: say what is right or wrong, and correct the boxes.

    Example: capture-agent review dataset

    Prints the address of the page, and serves it until Ctrl-C. Each verdict becomes a line of
    DIR/verdicts.jsonl, and corrected boxes the labels in DIR/labels. Captures that arrive meanwhile
    appear in the page. Several people may review at once. Needs the extra [web].
    """
    from agent.factories.reviews import open_review

    stop = threading.Event()
    with (
        opened_dataset(source, cache) as dataset,
        open_review(
            str(dataset.directory),
            host=host,
            port=port,
            token_file=token_file,
            certificate=tls_cert,
            by=by,
            name=Path(dataset.name).name if dataset.renew is None else dataset.name,
        ) as opened,
    ):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        print(f"review {opened.directory} at {opened.url}", flush=True)
        for line in opened.warnings:
            print(line, flush=True)
        print("Ctrl-C ends it; every verdict is stored at once.", flush=True)
        while not stop.wait(None if dataset.renew is None else _RENEWED_EACH_S):
            _renew(dataset)


def _renew(dataset: "LocalDataset") -> None:
    """Exchange reviews with other desks; what fails now is done the next time."""
    if dataset.renew is None:
        return
    try:
        dataset.renew()
    except (ConfigurationError, TemporaryError) as error:
        print(f"capture-agent: {redact(str(error))}", file=sys.stderr, flush=True)
