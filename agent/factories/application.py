"""What applications and people beside the daemon can ask for, of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.factories.api import has_doors
from agent.factories.images import recent_encoder
from agent.record.image import pixels_of
from agent.runtime.asked_captures import AskedCaptures
from agent.runtime.known_captures import KnownCaptures
from agent.runtime.past_captures import PastCaptures
from agent.runtime.reader import no_frames
from agent.runtime.recent import RecentFrames
from agent.runtime.supervisor import SideWorker
from agent.system import new_id

if TYPE_CHECKING:
    from agent.logs import Log
    from agent.ports import Clock
    from agent.runtime.supervisor import Stages
    from agent.settings.declarations import Settings


@dataclass(frozen=True, slots=True)
class Asking:
    """The parts that let others ask for a frame that they saw; all None if nobody can ask."""

    recent: RecentFrames | None = None
    past: PastCaptures | None = None
    captures: AskedCaptures | None = None
    sides: tuple[SideWorker, ...] = ()


def asking(settings: Settings, stages: Stages, *, clock: Clock, log: Log) -> Asking:
    """Keep the frames of the last seconds if somebody may ask for one."""
    if not has_doors(settings):
        return Asking()
    readers = {reader.camera: reader for reader in stages.readers}
    followed = stages.stats.followed
    recent = RecentFrames(
        list(readers),
        recent_encoder(settings),
        fps=settings.fps,
        why=lambda camera: no_frames(readers[camera].report),
        stats=stages.stats,
        clock=clock,
        log=log,
    )
    past = PastCaptures(stages.inference, followed, decode=pixels_of, clock=clock)
    known = KnownCaptures(followed)
    recent.listen(stages.inference.events)
    stages.inference.events.captured.add(known.note)
    return Asking(
        recent,
        past,
        AskedCaptures(recent, past, known, stages.spool, new_id=new_id),
        (SideWorker("recent frames", recent.step), SideWorker("asked captures", past.step)),
    )
