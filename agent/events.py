"""Every event of the log, once: its level, what it means, and what a person does about it.

What is a warning or worse needs somebody, or tells of a loss, and says what mends it; so
`journalctl -u capture-agent -p warning` alone tells a technician what is wrong. The README's table
and docs/events.md are made from here, and tests hold each log call against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["debug", "info", "warning", "error", "critical"]

_DISK = "Free some space on the disk, or lower `AGENT_SPOOL_MAX` and `AGENT_SPOOL_MIN_FREE`."


@dataclass(frozen=True, slots=True)
class Event:
    """What one name in the log stands for."""

    level: Level
    meaning: str
    mend: str = ""  # what to do; empty below warning
    worse: Level | None = None  # the level where it is final, as the meaning says
    facts: str = ""  # names of its fields; `...` where there are more, named for what is counted


EVENTS: Mapping[str, Event] = {
    "agent started": Event(
        "info",
        "The daemon runs with these settings.",
        facts="version device cameras spool waiting target",
    ),
    "agent stopping": Event(
        "info",
        "A stop was asked for; what is in memory is being written.",
        facts="reason",
    ),
    "agent stopped": Event(
        "info",
        "The daemon has ended; `reason` says why. An error when captures were lost, `lost` counts "
        "them, or the exit code is not 0.",
        "Read the warnings before it; they say what failed.",
        worse="error",
        facts="reason exit_code waiting lost",
    ),
    "camera opened": Event(
        "info",
        "The first frame of a camera has come.",
        facts="camera width height",
    ),
    "camera lost": Event(
        "warning",
        "A camera gives no frames; it is tried again, waiting ever longer. An error when it is a "
        "recording, which is not tried again.",
        "Check cable, power and address as `error` says; `capture-agent check` tries it alone.",
        worse="error",
        facts="camera error retry_in_s",
    ),
    "camera recovered": Event(
        "info",
        "A lost camera gives frames again.",
        facts="camera lost_s width height",
    ),
    "camera ended": Event(
        "info",
        "A recording was read to its end; `unreadable` pictures of it could not be decoded.",
        facts="camera unreadable",
    ),
    "camera impaired": Event(
        "warning",
        "A picture is dark, blown out, blurred, frozen or blocked for 10 s, as `condition` says.",
        "Clean the lens, look at light and aim; restart a frozen camera.",
        facts="camera condition",
    ),
    "camera clear": Event(
        "info",
        "The picture is as usual again.",
        facts="camera",
    ),
    "model loaded": Event(
        "info",
        "The model runs; `decided` says how its outputs are read.",
        facts="model sha256 provider labels decided",
    ),
    "model changed": Event(
        "info",
        "A new model file passed its trial and is used from now on.",
        facts="model sha256 before provider labels",
    ),
    "model kept": Event(
        "error",
        "A new model file failed its trial, `error` says why; the old one stays in use, after a "
        "restart too.",
        "Put a whole and fitting file in its place, then `systemctl reload capture-agent`.",
        facts="model sha256 error",
    ),
    "model wasteful": Event(
        "warning",
        "The model takes several pictures at once and gets one: each frame costs too much.",
        "Export it with a batch of 1.",
        facts="model error",
    ),
    "model unsaved": Event(
        "warning",
        "The model in use could not be copied to the state directory; after a restart with a bad "
        "new file there would be none to run.",
        "Make room on the disk as `error` says; put models in place by renaming, not by copying "
        "over the old one.",
        facts="model error",
    ),
    "rules left out": Event(
        "info",
        "These rules have nothing to look at with such a model.",
        facts="rules task",
    ),
    "temporal rules": Event(
        "info",
        "Frames come too slowly for the rules of time (off), or fast enough (on).",
        facts="camera state",
    ),
    "frame judged": Event(
        "debug",
        "Why a frame was captured, or was not.",
        facts="camera at source_frame outcome value line condition other ...",
    ),
    "frame captured": Event(
        "info",
        "A frame was chosen; `rules` says why.",
        facts="capture camera lane rules value",
    ),
    "capture stored": Event(
        "info",
        "A capture is safe on disk.",
        facts="capture bytes",
    ),
    "capture evicted": Event(
        "info",
        "The disk budget forced a capture out; `reason` says which limit.",
        facts="capture reason value",
    ),
    "capture delivered": Event(
        "info",
        "The endpoint proved that it has the capture.",
        facts="capture duplicate seconds",
    ),
    "capture damaged": Event(
        "error",
        "A record file does not match its checksum; it was moved to `damaged/`.",
        "One after a power cut is no worry; more of them mean a dying card: replace it.",
        facts="capture error",
    ),
    "capture rejected": Event(
        "error",
        "The endpoint refused this capture; it was moved to `rejected/`.",
        "Mend at the endpoint what `error` says, then `capture-agent rejected retry`.",
        facts="capture error",
    ),
    "upload delayed": Event(
        "warning",
        "The endpoint cannot be reached or asks to wait; all captures are kept.",
        "Nothing, if the network is expected to be away; else check it as `error` says.",
        facts="error target waiting retry_in_s",
    ),
    "upload held": Event(
        "error",
        "No capture can be delivered until what `error` names is mended; all are kept.",
        "Do what `error` says: most often the token, the address, a certificate or the clock.",
        facts="error target waiting retry_in_s",
    ),
    "upload resumed": Event(
        "info",
        "Deliveries succeed again.",
        facts="after_s target waiting",
    ),
    "upload window closed": Event(
        "info",
        "Captures wait until the time that `opens` names.",
        facts="opens window waiting",
    ),
    "upload window opened": Event(
        "info",
        "Captures may be sent.",
        facts="window waiting",
    ),
    "upload insecure": Event(
        "warning",
        "The token crosses the network unencrypted.",
        "Use an `https://` address in `AGENT_UPLOAD_URL`.",
        facts="error",
    ),
    "spool recovered": Event(
        "warning",
        "The spool was put in order at start; the fields count what was found.",
        "Nothing after a power cut; `damaged` at every start means a dying card.",
        facts="index_rebuilt ...",
    ),
    "spool rebuilding": Event(
        "info",
        "Many files are not in the index: `read` of them were read, of so many `files`.",
        facts="read files",
    ),
    "spool unavailable": Event(
        "error",
        "The disk refuses; captures wait in memory.",
        f"See `error`. {_DISK} One that became read-only is dying: replace it.",
        facts="error pending",
    ),
    "spool available": Event(
        "info",
        "The disk takes writing again.",
        facts="waiting pending",
    ),
    "disk full": Event(
        "warning",
        "The disk has no room; only better captures replace stored ones.",
        f"Let captures be delivered, or `capture-agent export` them. {_DISK}",
        facts="reason waiting",
    ),
    "clock stepped": Event(
        "warning",
        "The wall clock jumped; intervals are not affected.",
        "Nothing once after boot; if it repeats, check the time service and the clock's battery.",
        facts="seconds",
    ),
    "worker failed": Event(
        "critical",
        "A bug: the traceback follows, and the process ends; systemd starts it anew.",
        "Report it with its traceback.",
        facts="worker",
    ),
    "worker stalled": Event(
        "critical",
        "A worker makes no progress; the watchdog will restart the process.",
        "If it repeats: `inference` points at the GPU's driver, `writer` at the card.",
        facts="workers",
    ),
    "stop overdue": Event(
        "warning",
        "A worker did not stop in time and was left behind.",
        "Nothing: what it held is on disk; a camera's driver that hangs is the usual cause.",
        facts="workers",
    ),
    "metrics unavailable": Event(
        "warning",
        "The file of `AGENT_METRICS_FILE` cannot be written; nothing else is affected.",
        "Make its folder, give it to the user capture-agent, and let the sandbox write there: see "
        "docs/operating.md.",
        facts="file error",
    ),
    "summary": Event(
        "info",
        "One minute in figures.",
        facts="frames_read frames_dropped frames_analysed inference_p50_ms inference_p95_ms "
        "captured stored delivered evicted rejected waiting upload ...",
    ),
}
