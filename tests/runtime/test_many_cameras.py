"""Ten cameras of which one hangs: the others do not notice, and the stop is in time."""

import itertools
from threading import Event

import pytest

from agent.domain import Frame
from agent.errors import CameraLost
from agent.ports import FrameSource
from agent.runtime.supervisor import ExitCode
from agent.spool.spool import Spool
from tests.fakes.captures import frame
from tests.fakes.clock import DeadlineClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import wait_until
from tests.runtime.whole_agent import WholeAgent, running, stop_beside

CAMERAS = 10


class Camera:
    """Gives a frame each 10 ms."""

    live = True
    unreadable = 0
    passed_over = ""
    progress_at = 0.0

    def __init__(self, name: str, pause: Event) -> None:
        self.name = name
        self._pause = pause
        self._numbers = itertools.count()

    def read(self) -> Frame | None:
        self._pause.wait(0.01)
        return frame(camera=self.name, sequence=next(self._numbers))

    def close(self) -> None:
        """Nothing is open."""


class HungInCall(Camera):
    """A call into its driver does not return, until the test lets it."""

    def __init__(self, name: str, pause: Event, call: str) -> None:
        super().__init__(name, pause)
        self._call = call
        self.hangs, self.let_go = Event(), Event()

    def _hang(self) -> None:
        self.hangs.set()
        self.let_go.wait(60)

    def read(self) -> Frame | None:
        """The first call of a source opens it."""
        if self._call == "open" or next(self._numbers) > 3:
            if self._call == "close":
                raise CameraLost("cannot read camera: it stopped sending frames")
            self._hang()
        return super().read()

    def close(self) -> None:
        if self._call == "close":
            self._hang()


@pytest.mark.parametrize(
    "call",
    [
        "read",
        pytest.param("open", marks=pytest.mark.slow),
        pytest.param("close", marks=pytest.mark.slow),
    ],
)
def test_nine_cameras_do_not_notice_that_the_tenth_hangs(
    spool: Spool, log: Recorder, call: str
) -> None:
    pause = Event()
    hung = HungInCall("c9", pause, call)
    sources: dict[str, FrameSource] = {f"c{n}": Camera(f"c{n}", pause) for n in range(CAMERAS - 1)}
    clock = DeadlineClock(seconds=5.0)
    agent = WholeAgent(sources | {"c9": hung}, spool, log, clock=clock)
    codes: list[ExitCode] = []
    main = running(agent.supervisor, codes, clock)
    assert hung.hangs.wait(60)
    frames = {name: newest(agent, name) for name in (*sources, "c9")}
    wait_until(lambda: "camera lost" in log.events)
    wait_until(lambda: all(newest(agent, name) > frames[name] + 10 for name in sources))
    stop_beside(f"camera {hung.name}", agent.supervisor, main, clock)
    hung.let_go.set()

    assert codes == [ExitCode.STOPPED]
    assert {line["camera"] for line in log.lines if line["event"] == "camera lost"} == {hung.name}
    assert log.one("stop overdue")["workers"] == f"camera {hung.name}"
    assert log.one("agent stopped")["lost"] == 0
    wait_until(lambda: not agent.supervisor.left_behind)


def newest(agent: WholeAgent, camera: str) -> int:
    """Return the number of the newest analysed frame of a camera; -1 before the first."""
    found = agent.stages.inference.newest(camera)
    return -1 if found is None else found[0].frame.sequence
