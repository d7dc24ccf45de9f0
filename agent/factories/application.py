"""What applications and people beside the daemon can ask for, of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.factories.affirmation import affirmation_warning, affirmations
from agent.factories.api import has_doors
from agent.factories.images import recent_encoder, viewing_encoder
from agent.record.drawing import draw_record
from agent.record.image import pixels_of
from agent.runtime.affirmation import Affirmations
from agent.runtime.answers import FrameView
from agent.runtime.asked_captures import AskedCaptures, CaptureParts
from agent.runtime.facts import FactWriter
from agent.runtime.known_captures import KnownCaptures
from agent.runtime.live_images import SIZES, NewestImages
from agent.runtime.past_captures import PastCaptures
from agent.runtime.reader import no_frames
from agent.runtime.recent import RecentFrames
from agent.runtime.stored_verdicts import StoredVerdicts
from agent.runtime.supervisor import SideWorker
from agent.runtime.verdicts import GivenVerdicts
from agent.system import new_id

if TYPE_CHECKING:
    from agent.logs import Log
    from agent.ports import Clock
    from agent.runtime.supervisor import Stages
    from agent.settings.declarations import Settings


@dataclass(frozen=True, slots=True)
class Asking:
    """The parts that let others ask for a frame that they saw, and say what they think of it.

    All are None if nobody can ask.
    """

    recent: RecentFrames | None = None
    past: PastCaptures | None = None
    captures: AskedCaptures | None = None
    verdicts: GivenVerdicts | None = None
    facts: FactWriter | None = None
    shown: Affirmations | None = None
    sides: tuple[SideWorker, ...] = ()


def asking(settings: Settings, stages: Stages, *, clock: Clock, log: Log) -> Asking:
    """Keep the frames of the last seconds if somebody may ask for one."""
    warning = affirmation_warning(settings)
    if warning is not None:
        log.warning("affirmations limited", error=warning)
    if not has_doors(settings):
        return Asking()
    readers = {reader.camera: reader for reader in stages.readers}
    spool, stats, events = stages.spool, stages.stats, stages.inference.events
    recent = RecentFrames(
        list(readers),
        recent_encoder(settings),
        fps=settings.fps,
        why=lambda camera: no_frames(readers[camera].report),
        stats=stats,
        clock=clock,
        log=log,
    )
    past = PastCaptures(stages.inference, stats.followed, decode=pixels_of, clock=clock)
    known = KnownCaptures(stats.followed)
    recent.listen(events)
    events.captured.add(known.note)
    facts = FactWriter(spool, log=log)
    stored = StoredVerdicts(spool, stages.writer.add, facts.keep, stats.followed)
    parts = CaptureParts(recent, past, known, spool, new_id)
    verdicts = GivenVerdicts(parts, stored, facts.keep, stats=stats, clock=clock, log=log)
    events.captured.add(verdicts.captured)
    shown = affirmations(settings, parts, facts, stats=stats, clock=clock, log=log)
    verdicts.given.add(shown.verdict_given)
    return Asking(
        recent,
        past,
        AskedCaptures(parts),
        verdicts,
        facts,
        shown,
        (
            SideWorker("recent frames", recent.step),
            SideWorker("asked captures", past.step),
            SideWorker("stored verdicts", stored.step, stored.close),
            SideWorker("affirmations", shown.step, shown.close),
        ),
    )


def live_images(settings: Settings, stages: Stages, *, clock: Clock) -> NewestImages:
    """What draws the newest frames."""
    readers = {reader.camera: reader for reader in stages.readers}
    maker = stages.writer.maker
    views = {size: FrameView(viewing_encoder(settings, max_side=size), maker) for size in SIZES}
    return NewestImages(
        list(readers),
        views,
        draw_record,
        newest=stages.inference.newest,
        why=lambda camera: no_frames(readers[camera].report),
        clock=clock,
    )
