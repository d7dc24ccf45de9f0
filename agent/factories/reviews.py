"""The review page of a dataset folder, as `review` serves it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import ConfigurationError
from agent.factories.extras import need
from agent.files import Disk
from agent.printable import printable
from agent.settings.secret_file import read_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.review.service import ReviewTerms
    from agent.web.address import WebAddress

_DATASET_PARTS = ("records", "data.yaml")


@dataclass(frozen=True, slots=True)
class OpenReview:
    """A review page that is served."""

    directory: Path
    url: str
    warnings: tuple[str, ...]


@contextlib.contextmanager
def open_review(
    source: str,
    *,
    host: str,
    port: int,
    token_file: Path | None = None,
    certificate: Path | None = None,
    by: str = "",
    name: str = "",
) -> Iterator[OpenReview]:
    """Serve the review page of a dataset. Raises `ConfigurationError` for what a person must fix.

    Args:
        source: The dataset folder.
        host: Address to listen on.
        port: TCP port; 0 for any that is free.
        token_file: Has the token that clients must send.
        certificate: PEM file with a certificate and its key.
        by: Name of the reviewer; empty: the page asks.
        name: What the page calls the dataset; by default as its folder.
    """
    need("web", "review", is_setting=False)
    from agent.logs import make_log
    from agent.record.verdicts import LONGEST_BY, clean_text
    from agent.review.service import ReviewTerms, served
    from agent.system import SystemClock
    from agent.web.listening import listen_at
    from agent.web.tls import tls_context

    directory = Path(source).absolute()
    _require_dataset(directory)
    address = _address(host, port)
    token = None if token_file is None else _token(token_file)
    if token is None and not address.is_loopback:
        raise ConfigurationError(
            f"cannot serve the page on {address}: other computers can reach it, so it needs "
            "--token-file; or use --host 127.0.0.1"
        )
    tls = None if certificate is None else tls_context(certificate, setting="--tls-cert")
    terms = ReviewTerms(clean_text(by, LONGEST_BY), token, tls, name or directory.name)
    listening = listen_at(address, setting="--host and --port")
    disk, clock, log = Disk(inside=directory), SystemClock(), make_log(level="warning")
    try:
        with served(
            directory, listening, address.host, terms, disk=disk, clock=clock, log=log
        ) as page:
            notes = (*_warnings(address, terms), *(f"warning: {each}" for each in page.notes))
            yield OpenReview(directory, page.url, notes)
    finally:
        listening.remove()


def _require_dataset(directory: Path) -> None:
    shown = printable(directory)
    if not directory.is_dir():
        why = "it is not a folder" if directory.exists() else "there is no such folder"
        raise ConfigurationError(
            f"cannot review {shown}: {why}; name the folder that `receive`, `export` or a dir: "
            "target writes"
        )
    parts = [folder for folder in directory.iterdir() if (folder / "records").is_dir()]
    if not parts and not any((directory / name).exists() for name in _DATASET_PARTS):
        raise ConfigurationError(
            f"cannot review {shown}: it is not a dataset, for it has no folder records/; name the "
            "folder that has images/, labels/ and records/"
        )
    files = [directory, *(path for path in [directory / "verdicts.jsonl"] if path.exists())]
    for path in files:
        if not os.access(path, os.W_OK):
            raise ConfigurationError(
                f"cannot review {shown}: this user may not write {printable(path)}, and verdicts "
                "are stored there; change its rights, or copy the folder"
            )


def _address(host: str, port: int) -> WebAddress:
    from agent.web.address import WebAddress, parse_api

    shown = f"[{host}]" if ":" in host else host
    try:
        found = parse_api(f"{shown}:{port or 1}")
    except ValueError:
        raise ConfigurationError(
            f"cannot use --host {printable(host)}: it must be an IP address or a name, such as "
            "127.0.0.1"
        ) from None
    return WebAddress(host=found.host, port=port)


def _token(file: Path) -> str:
    token = read_secret(file, what="--token-file")
    if not token:
        raise ConfigurationError(f"cannot use --token-file {printable(file)}: it is empty")
    return token


def _warnings(address: WebAddress, terms: ReviewTerms) -> Iterator[str]:
    if terms.token is not None:
        yield "the browser asks for a name and a password: the password is the token"
    if not address.is_loopback and terms.tls is None:
        yield "warning: without --tls-cert the token and the images cross the network unencrypted"
