"""All log events, each declared once: its level, its meaning, and how to fix the cause.

An event at warning or above reports a loss or a problem and says how to fix it, or reports the end
of such a problem at the same level. So `journalctl -u capture-agent -p warning` alone shows what is
wrong and what no longer is. The README table and docs/events.md are generated from this table, and
tests check every log call against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["debug", "info", "warning", "error", "critical"]

REPORT_BUG = "Report it with its traceback."

_DISK = "Free some space on the disk, or lower `AGENT_SPOOL_MAX` and `AGENT_SPOOL_MIN_FREE`."


@dataclass(frozen=True, slots=True)
class Event:
    """The declaration of one event name."""

    level: Level
    meaning: str
    fix: str = ""  # what a person does; empty below warning, and where `ends` is set
    worst_level: Level | None = None  # the level of the serious cases; `meaning` names them
    facts: str = ""  # names of its fields; `...`: further fields, named after what they count
    ends: tuple[str, ...] = ()  # the problems whose end it reports, at the level of each


EVENTS: Mapping[str, Event] = {
    "agent started": Event(
        "info",
        "The daemon started with these settings.",
        facts="version device cameras spool waiting target",
    ),
    "settings doubtful": Event(
        "warning",
        "Something in the environment is ignored, or a secret in it can be read by others; `error` "
        "says which.",
        "Do what `error` says.",
        facts="error",
    ),
    "agent stopping": Event(
        "info",
        "The daemon was asked to stop and writes the captures in memory to disk.",
        facts="reason",
    ),
    "agent stopped": Event(
        "info",
        "The daemon stopped; `reason` says why. An error if captures were lost (`lost` counts "
        "them) or if the exit code is not 0.",
        "Read the warnings before it; they say what failed.",
        worst_level="error",
        facts="reason exit_code waiting lost",
    ),
    "camera opened": Event(
        "info",
        "The first frame of a camera arrived.",
        facts="camera width height",
    ),
    "camera lost": Event(
        "warning",
        "A camera delivers no frames; it is reopened after growing waits. An error if it is a "
        "recording, which is not reopened.",
        "Check cable, power and address as `error` says; `capture-agent check` tests each camera.",
        worst_level="error",
        facts="camera error retry_in_s",
    ),
    "camera recovered": Event(
        "warning",
        "A lost camera delivers frames again.",
        facts="camera lost_s width height",
        ends=("camera lost",),
    ),
    "camera resized": Event(
        "warning",
        "The frames of a camera have another size than before (of a recording only the first "
        "change is told); they are used as they are, and "
        "the tracks of objects start again.",
        "Nothing, if somebody changed its settings. Otherwise set its resolution, and switch off "
        "its automatic choice.",
        facts="camera width height before",
    ),
    "mask misfit": Event(
        "warning",
        "The masks of a camera do not fit its frames; its whole image is hidden until they do, "
        "because what was meant to be hidden may be anywhere.",
        "Write the mask for the size that `error` states, or in shares of the image.",
        facts="camera error",
    ),
    "mask fits": Event(
        "warning",
        "The masks of a camera fit its frames again.",
        facts="camera",
        ends=("mask misfit",),
    ),
    "driver configured": Event(
        "info",
        "What the driver of a V4L2 device says that it gives. A warning if it refused what the "
        "options of the source ask for; `refused` names that.",
        "Ask for what the camera has: `v4l2-ctl --list-formats-ext -d DEVICE` lists it.",
        worst_level="warning",
        facts="camera size fps format refused",
    ),
    "program message": Event(
        "info",
        "The program of an `exec:` camera wrote `text` to standard error. Lines that differ in "
        "their numbers alone are logged once an hour; `left_out` counts those since the last one.",
        facts="camera text left_out",
    ),
    "frames damaged": Event(
        "warning",
        "Frames of a camera were not analysed, because packets of its stream were lost or it could "
        "not be decoded; `frames` counts them since the last such line, at most one in 10 minutes.",
        "Use a cable instead of Wi-Fi, or lower bit rate and key frame interval of the camera.",
        facts="camera frames",
    ),
    "recent frames shortened": Event(
        "warning",
        "The frames of the last seconds, of which an application can ask for one, take more memory "
        "than they may; the oldest are given up, and a camera has those of `kept_s` alone. Logged "
        "for each camera once, and again whenever it is half as much.",
        "Nothing if so many seconds are enough; otherwise lower `AGENT_FPS` or the resolution of "
        "the camera.",
        facts="camera kept_s wanted_s limit",
    ),
    "camera ended": Event(
        "info",
        "A recording was read to its end; `unreadable` counts its frames that could not be "
        "decoded or show missing data, `passed_over` the files of a folder that are no images.",
        facts="camera unreadable passed_over",
    ),
    "image degraded": Event(
        "warning",
        "The image has been dark, overexposed, blurred, frozen or covered for 10 s; `quality` says "
        "which.",
        "Clean the lens, check light and aim; restart a frozen camera.",
        facts="camera quality",
    ),
    "image recovered": Event(
        "warning",
        "The image quality is normal again.",
        facts="camera",
        ends=("image degraded",),
    ),
    "model loaded": Event(
        "info",
        "The model is loaded; `decided` says how its outputs are read, `features` which tensor "
        "object features are made from, or why there are none.",
        facts="model sha256 provider labels decided features",
    ),
    "model not loaded": Event(
        "info",
        "The agent runs no model: an application sends predictions of this task with each frame.",
        facts="task",
    ),
    "provider unavailable": Event(
        "warning",
        "The hardware that `AGENT_PROVIDERS` names has no device file yet; the agent waits for it. "
        "It is there when `model loaded` follows.",
        "Nothing if it comes after the boot; otherwise do what `error` says.",
        facts="error retry_in_s",
    ),
    "model changed": Event(
        "info",
        "A new model file passed its trial and replaces the previous model.",
        facts="model sha256 before provider labels",
    ),
    "model unchanged": Event(
        "info",
        "A reload found the model that is in use already: file, labels and preprocessing are the "
        "same.",
        facts="model sha256",
    ),
    "model run failed": Event(
        "warning",
        "The model failed on a frame, which is captured with the rule `invalid_output`. While it "
        "goes on, one line an hour counts the frames in `failed`. An error after 30 failed frames "
        "in a row, if there is no other known-good model to fall back to.",
        "Export the model again; if NMS in its graph fails where it finds nothing, export it "
        "without NMS.",
        worst_level="error",
        facts="model camera failed error",
    ),
    "model reload failed": Event(
        "error",
        "A new model file failed its trial; or a model failed on 30 frames in a row (`error` says "
        "why); the previous model stays in use, also after a restart.",
        "Install a complete, supported model file, then `systemctl reload capture-agent`.",
        facts="model sha256 error",
    ),
    "model recovered": Event(
        "error",
        "The file at `AGENT_MODEL` is in use again after a failure.",
        facts="model sha256",
        ends=("model reload failed",),
    ),
    "feedback loaded": Event(
        "info",
        "The feedback file is in use: what reviews said changes the `p` of suspects from now on. "
        "With `other_model` its reviews were of another model's captures, and factors count half.",
        facts="sha256 made_at captures changes other_model",
    ),
    "auto labels decided": Event(
        "info",
        "Which classes the model labels itself from now on, and what the others lack.",
        facts="classes missing",
    ),
    "auto labels off": Event(
        "warning",
        "No class is trusted: the model labels nothing although `AGENT_AUTO_PER_DAY` is set.",
        "Do what `missing` says, then `systemctl reload capture-agent`.",
        facts="missing",
    ),
    "feedback refused": Event(
        "warning",
        "The feedback file cannot be used; the one before stays in use, or the rules' own priors "
        "if `kept` is none.",
        "Do what `error` says, then `systemctl reload capture-agent`.",
        facts="error kept",
    ),
    "feedback accepted": Event(
        "warning",
        "The feedback file is in use after it was refused.",
        facts="sha256",
        ends=("feedback refused",),
    ),
    "model batch wasted": Event(
        "warning",
        "The model has a fixed batch size above 1 but gets one frame at a time, so each frame "
        "costs too much.",
        "Export it with a batch size of 1.",
        facts="model error",
    ),
    "threshold unused": Event(
        "warning",
        "In `AGENT_THRESHOLDS` are labels that the model does not have; these thresholds have no "
        "effect. `labels` names them, with the nearest label of the model.",
        "Write the labels as the model does; `capture-agent check` tells them too.",
        facts="model labels",
    ),
    "model save failed": Event(
        "warning",
        "The model in use could not be copied to the state directory. If the model file is bad at "
        "the next start, there is no known-good model to fall back to.",
        "Free disk space as `error` says; replace model files by renaming, not by copying over the "
        "old one.",
        facts="model error",
    ),
    "library message": Event(
        "info",
        "A library wrote `text` to standard error. Lines that differ in their numbers alone are "
        "logged once an hour; `left_out` counts those since the last one.",
        facts="text left_out",
    ),
    "log lines dropped": Event(
        "warning",
        "The reader of the log did not take its lines for a while; `lines` of them were dropped. "
        "Nothing else waited for it.",
        "Let the terminal, the pager or the journal that reads the log run on.",
        facts="lines",
    ),
    "rules disabled": Event(
        "info",
        "These rules cannot work with the task of this model.",
        facts="rules task",
    ),
    "temporal rules disabled": Event(
        "info",
        "Frames arrive too slowly for the rules that compare frames over time.",
        facts="camera",
    ),
    "temporal rules enabled": Event(
        "info",
        "Frames arrive fast enough again for the rules that compare frames over time.",
        facts="camera",
    ),
    "frame evaluated": Event(
        "debug",
        "Why a frame was captured or not: its value in expected new failures, what it had to "
        "reach (`cutoff`), and the highest `p` of each rule.",
        facts="camera at source_frame outcome value cutoff quality other ...",
    ),
    "verdict given": Event(
        "info",
        "A person said that the model is right or wrong in a frame, misses something there, or "
        "that the image cannot be judged; `capture` is the one that the verdict is about, if there "
        "is one.",
        facts="camera capture verdict by",
    ),
    "prediction affirmed": Event(
        "info",
        "A prediction that was shown and drawn was not contradicted in time; `capture` is the one "
        "that says so. It is no review.",
        facts="camera capture inclusion_probability",
    ),
    "affirmations limited": Event(
        "warning",
        "Fewer shown predictions are drawn than `AGENT_AFFIRM_PER_DAY` says, because no more could "
        "be sent or kept; `error` says why.",
        "Do what `error` says.",
        facts="error",
    ),
    "affirmations dropped": Event(
        "info",
        "The daemon stopped before the time was over in which drawn predictions may be "
        "contradicted: they are dropped.",
        facts="dropped",
    ),
    "frame captured": Event(
        "info",
        "A frame was selected; `rules` says why, and `value` how many new failures a label of it "
        "is expected to show.",
        facts="capture camera lane rules value",
    ),
    "capture stored": Event(
        "info",
        "A capture is safe on disk.",
        facts="capture bytes",
    ),
    "capture evicted": Event(
        "info",
        "A capture was deleted to stay within the disk budget, or (`duplicate`) because a better "
        "frame of its cell of time replaced it; `reason` says which.",
        facts="capture reason value",
    ),
    "capture delivered": Event(
        "info",
        "The endpoint confirmed that it stored the capture.",
        facts="capture duplicate seconds",
    ),
    "labels left out": Event(
        "warning",
        "The endpoint has no place for a part of what was delivered, such as a label or an "
        "outline. The image and the rest arrived; `error` says what did not, once for each.",
        "Add the label, spelt as the model spells it, or the tag that `error` names, to the "
        "project's labelling interface.",
        facts="error target capture",
    ),
    "capture damaged": Event(
        "error",
        "A record file does not match its checksum; it was moved to `damaged/`.",
        "Ignore a single one after a power cut; if there are more, the SD card or disk is failing: "
        "replace it.",
        facts="capture error",
    ),
    "capture rejected": Event(
        "error",
        "The endpoint refused this capture; it was moved to `rejected/`.",
        "Fix at the endpoint what `error` says, then run `capture-agent rejected retry`.",
        facts="capture error",
    ),
    "target failed": Event(
        "critical",
        "A bug in the code of the target; the traceback follows, once for each kind. All captures "
        "are kept, capturing goes on, and deliveries are tried again as when they are blocked.",
        REPORT_BUG,
        facts="target capture",
    ),
    "upload delayed": Event(
        "warning",
        "The endpoint cannot be reached or asks the agent to wait; all captures are kept.",
        "Nothing if the network is expected to be down; otherwise check what `error` says.",
        facts="error target waiting retry_in_s",
    ),
    "upload blocked": Event(
        "error",
        "No capture can be delivered until what `error` names is fixed; all captures are kept.",
        "Do what `error` says; usually the token, address, certificate or clock is wrong.",
        facts="error target waiting retry_in_s",
    ),
    "upload resumed": Event(
        "warning",
        "Deliveries succeed again. An error if it ends `upload blocked`.",
        worst_level="error",
        facts="after_s target waiting",
        ends=("upload delayed", "upload blocked"),
    ),
    "upload window closed": Event(
        "info",
        "Captures wait for the next upload window, which opens at `opens`.",
        facts="opens window waiting",
    ),
    "upload window opened": Event(
        "info",
        "The upload window is open; captures are sent.",
        facts="window waiting",
    ),
    "heartbeat delayed": Event(
        "info",
        "The endpoint did not take the device's status; only the newest one is sent, after "
        "`retry_in_s`. Captures go on as before.",
        facts="error target retry_in_s",
    ),
    "heartbeat resumed": Event(
        "info",
        "The endpoint takes the device's status again.",
        facts="after_s target",
    ),
    "heartbeat refused": Event(
        "info",
        "The endpoint has no place for the status of devices; it is asked again each day and at "
        "each start. `AGENT_HEARTBEAT=off` sends none.",
        facts="error target",
    ),
    "upload insecure": Event(
        "warning",
        "The upload token is sent unencrypted.",
        "Use an `https://` address in `AGENT_UPLOAD_URL`.",
        facts="error",
    ),
    "spool recovered": Event(
        "warning",
        "The spool was repaired at start; the fields count what was found.",
        "Nothing after a power cut; if `damaged` appears at every start, replace the SD card or "
        "disk.",
        facts="index_rebuilt ...",
    ),
    "note unreadable": Event(
        "warning",
        "A note of the budget in the spool's index is damaged and was ignored: credits begin at "
        "zero, or one purchase is forgotten.",
        "Nothing, once; if it comes at every start, replace the SD card or disk.",
        facts="note",
    ),
    "folder pruned": Event(
        "warning",
        "Files were deleted from `rejected/` or `damaged/` of the spool, the oldest first, because "
        "each may hold a twentieth of `AGENT_SPOOL_MAX`; they stay counted.",
        "Fix what the endpoint refuses, then `capture-agent rejected retry` or `drop`.",
        facts="folder files bytes limit",
    ),
    "verdicts delayed": Event(
        "warning",
        "The disk refuses writes; verdicts of people wait in memory.",
        "Free some space on the disk, or replace a read-only one.",
        facts="error pending",
    ),
    "verdicts stored": Event(
        "warning",
        "The disk accepts writes again; the verdicts that waited in memory are stored.",
        facts="stored",
        ends=("verdicts delayed",),
    ),
    "verdicts dropped": Event(
        "warning",
        "More verdicts wait for delivery than are kept, or the disk refused the last ones before "
        "the process ended; the oldest were dropped. `total` counts them since the start.",
        "Connect the device more often: verdicts leave it with the next captures.",
        facts="dropped total",
    ),
    "spool rebuilding": Event(
        "info",
        "Files are missing from the index; `read` of `files` have been read so far.",
        facts="read files",
    ),
    "spool unavailable": Event(
        "error",
        "The disk refuses writes; captures wait in memory, and a start waits.",
        "Free some space on the disk, or export from a read-only one and replace it. Or lower "
        "`AGENT_SPOOL_MAX` and `AGENT_SPOOL_MIN_FREE`.",
        facts="error pending",
    ),
    "spool available": Event(
        "warning",
        "The disk accepts writes again. An error if it ends `spool unavailable`.",
        worst_level="error",
        facts="waiting pending",
        ends=("disk full", "spool unavailable"),
    ),
    "disk full": Event(
        "warning",
        "The disk is full; a new capture is stored only if it replaces one of lower value.",
        f"Let captures be delivered, or `capture-agent export` them. {_DISK}",
        facts="reason waiting",
    ),
    "clock stepped": Event(
        "warning",
        "The wall clock jumped by `seconds`; intervals are not affected.",
        "Nothing if once after boot; if it repeats, check the time service and the clock's "
        "battery.",
        facts="seconds",
    ),
    "worker failed": Event(
        "critical",
        "A bug: the traceback follows, the process exits, and systemd restarts it.",
        REPORT_BUG,
        facts="worker",
    ),
    "worker stalled": Event(
        "critical",
        "A worker makes no progress; the watchdog will restart the process.",
        "If it repeats, suspect the GPU driver for `inference`, the SD card or disk for `writer`.",
        facts="workers",
    ),
    "worker recovered": Event(
        "critical",
        "The workers that made no progress do so again.",
        facts="workers",
        ends=("worker stalled",),
    ),
    "upload stalled": Event(
        "error",
        "A delivery hangs; the field names what it waits for. Capturing goes on, all captures are "
        "kept.",
        "Check the mount of a `dir:` target, then restart the service.",
        facts="workers",
    ),
    "upload stall ended": Event(
        "error",
        "The deliveries that made no progress do so again.",
        facts="workers",
        ends=("upload stalled",),
    ),
    "stop overdue": Event(
        "warning",
        "A worker did not stop in time and was abandoned; `lost` says what that costs. An error if "
        "captures are lost.",
        "If it repeats: replace the disk for `writer`, the driver for `inference` and `camera`.",
        worst_level="error",
        facts="workers lost",
    ),
    "metrics unavailable": Event(
        "warning",
        "The file `AGENT_METRICS_FILE` cannot be written, or a write does not end; nothing else is "
        "affected.",
        "Create its folder, make it writable by the user capture-agent, and allow it in the "
        "sandbox: see docs/operating.md. If a write does not end, the file system there is dead.",
        facts="file error",
    ),
    "metrics available": Event(
        "warning",
        "The file `AGENT_METRICS_FILE` is written again.",
        facts="file",
        ends=("metrics unavailable",),
    ),
    "status unavailable": Event(
        "warning",
        "The daemon cannot publish its state: `status` shows less, `request` and `look` do not "
        "work; nothing else is affected.",
        "Make `folder` writable for the daemon; under systemd, `RuntimeDirectory=` makes it.",
        facts="folder error",
    ),
    "status available": Event(
        "warning",
        "The daemon publishes its state again.",
        facts="folder",
        ends=("status unavailable",),
    ),
    "mqtt connected": Event(
        "info",
        "The MQTT broker took the connection for the first time.",
        facts="broker",
    ),
    "mqtt disconnected": Event(
        "warning",
        "There is no connection to the MQTT broker; it is tried again after growing waits. Nothing "
        "else is affected. Told once for each cause.",
        "Do what `error` says; `capture-agent check` tries the broker.",
        facts="error retry_in_s",
    ),
    "mqtt recovered": Event(
        "warning",
        "There is a connection to the MQTT broker again.",
        facts="broker after_s",
        ends=("mqtt disconnected",),
    ),
    "mqtt topic refused": Event(
        "warning",
        "The MQTT broker does not let this device use a topic. Told once for each kind.",
        "Allow it in the broker; docs/mqtt.md lists all topics.",
        facts="topic broker",
    ),
    "mqtt command refused": Event(
        "info",
        "A message on a command topic was not followed, as `error` says; `commands` counts those "
        "since the last such line, a minute ago at least.",
        facts="topic error commands",
    ),
    "clip shortened": Event(
        "warning",
        "Clips of a camera begin later than `AGENT_CLIP` says, because its frames do not fit into "
        "the memory for clips; `lead_s` is what they have now. Told once; the summary counts "
        "`clips_shortened`.",
        "Choose a shorter `AGENT_CLIP`, or a lower `AGENT_FPS`.",
        facts="camera lead_s wanted_s limit",
    ),
    "clips left out": Event(
        "warning",
        "Captures in the spool have clips, and the endpoint has no place for them, or does not "
        "prove them while `AGENT_CLIP` is `off`: they are delivered without. Said once.",
        "Before they are sent, `capture-agent export` copies captures with their clips.",
        facts="target capture",
    ),
    "clips disabled": Event(
        "warning",
        "The endpoint takes no clips, so none are made although `AGENT_CLIP` is set.",
        "Set `AGENT_CLIP=off`, or deliver to an endpoint that takes clips: docs/clips.md.",
        facts="target",
    ),
    "api started": Event(
        "info",
        "Applications and browsers can reach the agent at `address`; `tls` and `token` say whether "
        "it is encrypted and asks for a token. A warning if no network interface has the address, "
        "or if the certificate is not valid now.",
        "Do what `error` says, unless the network or the time comes later than the agent.",
        worst_level="warning",
        facts="address tls token error",
    ),
    "api refused": Event(
        "warning",
        "A client of the API was sent away; `reason` says which limit or check it met. One line a "
        "minute for each reason; `count` counts those since the last one. No camera waits for it.",
        "Nothing, if nobody misses an answer. Otherwise docs/api.md explains the reasons.",
        facts="reason client count",
    ),
    "api failed": Event(
        "critical",
        "A bug in a call of the API, which was answered with the status 500; the traceback "
        "follows, at most once a minute for each place. Everything else goes on.",
        REPORT_BUG,
        facts="call",
    ),
    "summary": Event(
        "info",
        "Counts and latencies of the last minute.",
        facts="frames_read frames_dropped frames_analysed frames_still inference_p50_ms "
        "inference_p95_ms captured stored delivered evicted rejected waiting upload ...",
    ),
}
