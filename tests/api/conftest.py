"""An application of a daemon whose threads do not run, and real servers for it."""

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.exchange.state import Limits
from agent.factories.status_facts import own_facts
from agent.runtime.application import Application
from agent.runtime.figures import FigureSource
from agent.runtime.live import LiveState, Process
from agent.settings.load import without_environment
from agent.spool.spool import Spool
from tests.fakes.api import Serve, served_api
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.spool_fixtures import clock, log, spool
from tests.runtime.whole_agent import Recording, WholeAgent

__all__ = ["clock", "log", "spool"]


@pytest.fixture
def application(tmp_path: Path, spool: Spool, clock: ManualClock, log: Recorder) -> Application:
    """The doors of a daemon with the camera "gate"; `dataclasses.replace` adds others."""
    whole = WholeAgent(Recording([]), spool, log, clock=clock)
    stages = whole.stages
    process = Process(
        id=1,
        start=1,
        boot="boot",
        version="0",
        device="device",
        started_at=clock.monotonic(),
        target=None,
        limits=Limits(100.0, 10**9, 0, 20.0, 5.0),
    )
    live = LiveState(
        process,
        readers=stages.readers,
        mailbox=stages.mailbox,
        inference=stages.inference,
        writer=stages.writer,
        spool=spool,
        uploader=stages.uploader,
        model=None,
        clock=clock,
    )
    settings = without_environment(
        cameras="gate=/dev/video0", spool_dir=tmp_path / "spool", spool_min_free=0
    )
    figures = FigureSource(stages.mailbox, stages.stats, spool, stages.uploader, live=live)
    return Application(
        ("gate",),
        live,
        stages.inference.events,
        clock,
        status=partial(own_facts, settings, live, clock),
        figures=figures.figures,
    )


@pytest.fixture
def serve(tmp_path: Path, log: Recorder) -> Iterator[Serve]:
    """`serve(application, limits=...)` starts a real server, which ends with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda application, **how: stack.enter_context(
            served_api(application, tmp_path, **{"log": log, **how})
        )
