"""Serves the review page of one dataset folder."""

import contextlib
import hashlib
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from agent.dataset.records import skipped_note
from agent.dataset.reviewed import ReviewedDataset
from agent.files import Disk
from agent.logs import Log
from agent.ports import Clock
from agent.printable import printable
from agent.review.desk import ReviewDesk
from agent.review.other_desks import OtherDesks
from agent.review.routes import PageFacts, routes
from agent.review.stale_labels import rewrite_stale_labels
from agent.review.thumbnails import Thumbnails
from agent.web.access import Access
from agent.web.address import WebAddress
from agent.web.app import guarded
from agent.web.hosts import own_hosts, reached_at
from agent.web.limits import LIMITS, WebLimits
from agent.web.listening import Listening
from agent.web.observer import WebObserver
from agent.web.server import WebServer

REVIEW_LIMITS = replace(
    LIMITS,
    connections=64,
    address_connections=48,
    threads=4,
    cpu_share=1.0,  # no camera waits for this process
    thread_cpu_share=4.0,
)


@dataclass(frozen=True, slots=True)
class ReviewTerms:
    """On which terms the page is served."""

    by: str = ""  # the reviewer; empty: the page asks
    token: str | None = None
    tls: ssl.SSLContext | None = None
    name: str = ""  # what the page calls the dataset


@dataclass(frozen=True, slots=True)
class ServedReview:
    """A page that is served."""

    url: str  # for a browser
    notes: tuple[str, ...]  # what is wrong with the dataset


@contextlib.contextmanager
def served(
    directory: Path,
    listening: Listening,
    host: str,
    terms: ReviewTerms,
    *,
    disk: Disk,
    clock: Clock,
    log: Log,
    limits: WebLimits = REVIEW_LIMITS,
) -> Iterator[ServedReview]:
    """Serve the page of `directory` at a socket of `host`.

    Raises `ConfigurationError` if the folder is not a dataset that can be read.
    """
    dataset = ReviewedDataset(directory, disk)
    problem = rewrite_stale_labels(dataset)
    others = OtherDesks(directory.absolute(), disk, clock)
    desk = ReviewDesk(dataset, others, clock, problems=[problem] if problem else [])
    thumbnails = Thumbnails(directory.absolute(), disk)
    address = WebAddress(host=host, port=listening.socket.getsockname()[1])
    scheme = "http" if terms.tls is None else "https"
    computer = socket.gethostname()
    access = Access(own_hosts(address, computer), scheme, terms.token)
    observer = WebObserver(log, clock.monotonic)
    # The browser keeps verdicts that were not sent, for this folder alone.
    key = hashlib.blake2b(os.fsencode(directory.absolute()), digest_size=8).hexdigest()
    facts = PageFacts(printable(terms.name or directory.absolute().name), key, terms.by)
    calls = routes(desk, thumbnails, clock, facts)
    app = guarded(calls, access, observer, limits, hint="the page is at /")
    server = WebServer(app, [listening], observer, limits=limits, tls=terms.tls)
    with others.opened():
        server.step()
        try:
            url = f"{scheme}://{reached_at(address, computer)}/"
            yield ServedReview(url, tuple(skipped_note(dataset.skipped)))
        finally:
            server.close()
