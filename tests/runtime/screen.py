"""Frames that are shown to a person, who may object: affirmations without threads."""

from dataclasses import replace

from agent.domain import Capture, Frame, Observation, Verdict, VerdictKind
from agent.errors import RefusalKind, RequestRefused
from agent.runtime.affirmation import (
    AFFIRMED,
    CONTRADICTED,
    DRAWN,
    LOST,
    REVIEWED,
    AffirmationParts,
    Affirmations,
)
from agent.runtime.recent import RecentFrames
from agent.runtime.recent_frame import RecentFrame
from agent.runtime.stats import Stats
from agent.selection.shown_sample import ShownSample
from tests.fakes.captures import detection, frame
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder

AFTER_S = 60.0


class EachDrawn(ShownSample):
    """As if the instant of a slot was always just before the frame."""

    def draw(self, frame: Frame, at: float) -> float | None:
        super().draw(frame, at)
        return 0.25


class Screen:
    """Two cameras whose frames are kept for 10 s, and a person in front of them."""

    def __init__(self, clock: ManualClock, log: Recorder, *, slot: float = 0.0) -> None:
        self.clock, self.log = clock, log
        self.stats = Stats()
        self.made: list[Capture] = []
        self.facts: list[Verdict] = []
        self.kept = {"stored"}  # captures that wait or were delivered
        self.refuses = False
        self.sequence = 0
        self.recent = RecentFrames(
            ["gate", "yard"],
            lambda frame: bytes([frame.sequence % 256]) * 1000,
            fps=5.0,
            stats=self.stats,
            clock=clock,
            log=log.log,
            idle=0.0,
        )
        kind = ShownSample if slot else EachDrawn
        sample = kind(slot or 600.0, "device", "boot", clock.monotonic() - 1.0)
        parts = AffirmationParts(
            self.recent,
            self._want,
            self.facts.append,
            lambda name: name in self.kept,
            lambda at: f"made-{at:.1f}",
        )
        self.affirmations = Affirmations(
            parts, sample, after=AFTER_S, stats=self.stats, clock=clock, log=log.log
        )

    def _want(self, entry: RecentFrame, capture: Capture) -> None:
        assert entry.is_encoded
        if self.refuses:
            raise RequestRefused(RefusalKind.NOT_NOW, "too many wait")
        self.made.append(capture)

    def see(
        self, camera: str = "gate", *, encode: bool = True, invalid: bool = False
    ) -> RecentFrame:
        """Analyse a frame of now."""
        made = replace(
            frame(self.clock.now, camera=camera, sequence=self.sequence),
            captured_at=self.clock.wall(),
        )
        self.sequence += 1
        self.recent.analysed(Observation(made, (detection(0.9),), invalid=invalid))
        if encode:
            self.recent.step()
        return self.recent.frames(camera)[-1]

    def show(self, entry: RecentFrame, seconds: float = 2.0) -> bool:
        """Show it to the person; return whether that counts."""
        ago = self.clock.now - entry.at
        told = self.affirmations.shown(entry.frame.camera, -ago, seconds=seconds)
        return bool(told["counts"])

    def say(
        self,
        kind: VerdictKind,
        moment: float,
        *,
        camera: str = "gate",
        capture: str = "",
        of: str = "",
    ) -> None:
        """Give a verdict about the frame of a wall time."""
        given = Verdict(kind, camera, moment, self.clock.wall(), capture=capture, of=of)
        self.affirmations.verdict_given(given)

    def wait(self, seconds: float = AFTER_S + 3.0) -> None:
        self.clock.now += seconds
        self.affirmations.step()

    def counts(self) -> dict[str, int]:
        """What became of the drawn ones."""
        total = self.stats.total()
        names = (DRAWN, AFFIRMED, CONTRADICTED, REVIEWED, LOST)
        return {name: total[name] for name in names if total[name]}
