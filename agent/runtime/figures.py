"""The figures of the daemon at one moment, as monitoring wants them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from agent.runtime.affirmation import AFFIRMATION, OUTCOMES, SHOWN
from agent.runtime.live import LiveState
from agent.runtime.mailbox import FrameCounts, Mailbox
from agent.runtime.preroll import DROPPED, SHORTENED
from agent.runtime.reader import CameraCondition
from agent.runtime.recent import DROPPED as RECENT_DROPPED
from agent.runtime.stats import Stats
from agent.runtime.uploader import Uploader
from agent.spool.spool import Spool


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """The file system of the spool."""

    free: Callable[[], int]  # bytes
    min_free: int  # bytes that must stay free


@dataclass(frozen=True, slots=True)
class CameraFigures:
    """One camera at one moment."""

    name: str
    is_live: bool
    frames: FrameCounts
    last_frame: int | None  # seconds since 1970 UTC
    quality: str | None
    still: int = 0  # of the frames taken, those that were not analysed because nothing moved


@dataclass(frozen=True, slots=True)
class Figures:
    """The daemon at one moment."""

    frames: FrameCounts  # since the start, as all that is counted here and not on disk
    analysed: int
    captured: Mapping[str, int]  # by rule
    counts: Mapping[str, int]  # of the spool, since it was made
    waiting: int
    in_flight: int
    occupied: int  # bytes
    credits_left: float | None  # None without a budget
    flowing: bool | None  # None without an endpoint
    cameras: tuple[CameraFigures, ...] = ()
    disk_free: int | None = None  # bytes that may still be written
    disk_min_free: int = 0  # bytes that must stay free
    disk_refuses: bool = False
    info: Mapping[str, str] = field(default_factory=dict)  # labels of the daemon
    clip_bytes: int | None = None  # of encoded frames in memory; None without clips
    clip_frames_dropped: int = 0
    clips_shortened: int = 0
    shown: int = 0  # predictions of which it was told that a person saw them
    affirmations: Mapping[str, int] = field(default_factory=dict)  # those drawn, and their outcomes
    verdicts: Mapping[str, int] = field(default_factory=dict)  # by what people said
    facts_waiting: int = 0  # verdicts that no endpoint has confirmed
    recent_frames_dropped: int = 0  # of which nobody can ask for a capture
    still: int = 0  # frames that were not analysed because nothing moved
    mqtt_connected: bool | None = None  # None without AGENT_MQTT_URL
    heartbeat_sent: float | None = None  # seconds since 1970 UTC; None before the first
    auto_credits_left: float | None = None  # None without auto labels


class FigureSource:
    """Collects the figures; may wait for the spool and its disk. Thread-safe."""

    def __init__(
        self,
        mailbox: Mailbox,
        stats: Stats,
        spool: Spool,
        uploader: Uploader | None,
        *,
        live: LiveState | None = None,
        disk: DiskSpace | None = None,
    ) -> None:
        self._mailbox = mailbox
        self._stats = stats
        self._spool = spool
        self._uploader = uploader
        self._live = live
        self._disk = disk

    def figures(self) -> Figures:
        """Return the figures now; raises `OSError`."""
        total = self._stats.total()
        report = self._spool.report()
        figures = Figures(
            frames=self._mailbox.counts(),
            analysed=total["analysed"],
            still=total["still"],
            captured={
                name.removeprefix("captured/"): count
                for name, count in sorted(total.items())
                if name.startswith("captured/")
            },
            counts=self._spool.counts(),
            waiting=self._spool.waiting(),
            in_flight=self._spool.in_flight(),
            occupied=self._spool.occupied(),
            credits_left=report.get("credits_left"),
            auto_credits_left=report.get("auto_credits_left"),
            flowing=None if self._uploader is None else self._uploader.condition == "flowing",
            clip_frames_dropped=total[DROPPED],
            clips_shortened=total[SHORTENED],
            shown=total[SHOWN],
            verdicts={
                name.removeprefix("verdict/"): count
                for name, count in sorted(total.items())
                if name.startswith("verdict/")
            },
            facts_waiting=self._spool.facts_waiting(),
            recent_frames_dropped=total[RECENT_DROPPED],
            affirmations={name: total[f"{AFFIRMATION}{name}"] for name in OUTCOMES},
        )
        if self._disk is not None:
            figures = replace(
                figures, disk_free=self._disk.free(), disk_min_free=self._disk.min_free
            )
        return figures if self._live is None else self._with_state(figures, self._live)

    def _with_state(self, figures: Figures, live: LiveState) -> Figures:
        state = live.state(interval=0.0)
        counts = self._mailbox.camera_counts()
        wall_offset = state.wall - state.at
        return replace(
            figures,
            cameras=tuple(
                CameraFigures(
                    camera.name,
                    camera.state == CameraCondition.LIVE,
                    counts[camera.name],
                    None if (at := camera.last_frame_at) is None else round(at + wall_offset),
                    camera.quality,
                    live.still(camera.name),
                )
                for camera in state.cameras
            ),
            disk_refuses=state.disk_error is not None,
            clip_bytes=state.clip_bytes,
            heartbeat_sent=None if state.heartbeat is None else state.heartbeat.sent,
            mqtt_connected=None if live.broker is None else live.broker.is_connected,
            info={
                "version": state.version,
                "device": state.device,
                "model": state.model or "",
                "model_sha256": state.model_sha256 or "",
            },
        )
