"""What a setting's declaration has no room for: an example, and what changes with the value.

`docs/settings.md` and the examples of the env file are made from here; tests hold that each setting
has its note and that each example is a value that it takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """Of one setting."""

    example: str  # as it stands in the env file
    changes: str  # what another value brings, and what it costs
    kind: str = ""  # sort of value, where the declaration's type does not say it


NOTES: Mapping[str, Note] = {
    "cameras": Note(
        "yard=/dev/video0 gate=rtsp://user:password@10.0.0.7/stream1",
        "Every camera shares the model, the budget and the spool. The name is in each capture and "
        "each log line, and a camera's memory is kept under it: a new name begins anew. A "
        "recording plays once; the daemon ends when all recordings have ended.",
        "list of cameras",
    ),
    "device_id": Note(
        "gate-07",
        "Tells the devices of a fleet apart, in records, datasets and tags. It is also the seed "
        "of the random captures.",
    ),
    "fps": Note(
        "2",
        "More frames are more chances and more processor time. Below 2 a second the rules that "
        "compare neighbours are silent. With `0` a recording is read as fast as it is analysed, "
        "and none of its frames is dropped.",
    ),
    "camera_stall": Note(
        "1m",
        "Shorter finds a dead camera sooner; longer bears streams that pause. It is also the "
        "limit for opening and reading a stream, and for how long a picture may stay the same.",
    ),
    "model": Note(
        "/var/lib/capture-agent/model.onnx",
        "Which detector or classifier looks at the frames. A new file in its place is taken up by "
        "`systemctl reload capture-agent`.",
    ),
    "model_format": Note(
        "ultralytics",
        "`auto` looks at the file, and `capture-agent check` prints what it decided. Name one "
        "where it cannot tell; docs/models.md lists them.",
        "name",
    ),
    "model_labels": Note(
        "/var/lib/capture-agent/labels.txt",
        "The names in records, log lines and the dataset's `data.yaml`, and those that "
        "`AGENT_THRESHOLDS` speaks of. A list of the wrong length is refused.",
        "word, list or path",
    ),
    "model_input": Note(
        "bgr scale=255 fit=letterbox",
        "Needed only for a model that was trained on pictures prepared in another way than its "
        "format says; a wrong one costs accuracy without any error. docs/models.md explains the "
        "words.",
        "words",
    ),
    "model_sha256": Note(
        "a36da620efb800089521ed802d78caaf8ab07c4a2f74552b6aabc6cefb58d325",
        "The daemon does not start with another file, and a reload keeps the old one.",
    ),
    "providers": Note(
        "CUDAExecutionProvider CPUExecutionProvider",
        "Where the model runs. `auto` takes the best that works; one that is named and does not "
        "work ends the start with exit code 78.",
        "list of names",
    ),
    "inference_workers": Note(
        "2",
        "More frames at once while there are idle processors; each takes memory for one more "
        "frame. `1` leaves the other processors to your application.",
        "whole number, or a word",
    ),
    "inference_threads": Note(
        "2",
        "Makes one frame faster and all frames together slower: leave it at 1 unless there is one "
        "camera and a slow model.",
    ),
    "threshold": Note(
        "0.4",
        "What your application takes for true. Rules look for what lies just below it and for "
        "what contradicts it, so a value other than your application's finds the wrong frames.",
    ),
    "thresholds": Note(
        "car=0.6 'traffic light'=0.4",
        "As `AGENT_THRESHOLD`, for single labels; the others keep that one.",
        "label=number pairs",
    ),
    "floor": Note(
        "0.1",
        "Higher makes records smaller and the rules deaf to faint boxes; lower reports more noise.",
    ),
    "rules": Note(
        "low_confidence flicker",
        "Which doubts are captured. Fewer rules spend the same budget on fewer kinds of failure.",
        "list of names",
    ),
    "random_interval": Note(
        "30m",
        "Random captures measure the model: more of them give narrower intervals in "
        "`capture-agent estimate`. A shorter interval than `auto` draws more than the credits can "
        "deliver, and the disk budget thins them by chance.",
        "duration, or a word",
    ),
    "every_nth_frame": Note(
        "9000",
        "Regular captures, whatever the model saw. They are paid from the random share, after the "
        "random ones.",
    ),
    "budget_per_day": Note(
        "500",
        "What labelling costs a day. The best captures of the last 24 h compete for the credits. "
        "With `0` nothing competes: all that is captured is delivered, and each rule rests 10 s "
        "after it fired.",
    ),
    "random_share": Note(
        "0.5",
        "More for measuring the model, less for teaching it. `0` spends all credits on the rules, "
        "`1` all on chance.",
    ),
    "rule_weights": Note(
        "flicker=0.8 clash=0",
        "How much a rule alone can make a capture worth, 0 to 1. To leave a rule out, use "
        "`AGENT_RULES`.",
        "rule=weight pairs",
    ),
    "jpeg_quality": Note(
        "80",
        "Smaller images, with traces of compression. Labels do not suffer above 80.",
    ),
    "max_side": Note(
        "1280",
        "Larger frames are shrunk before they are stored, and their boxes with them: captures "
        "take less room and time. The model still sees the frame as read.",
    ),
    "spool_dir": Note(
        "/mnt/ssd/spool",
        "Another disk than the system's, for wear or room. The service's user must own it, and "
        "its sandbox let it write there: see docs/operating.md. What waits in the old place stays "
        "there.",
    ),
    "spool_max": Note(
        "8GB",
        "How long a device can be offline before captures compete for room: docs/operating.md has "
        "the sum. Less than what is stored evicts the least valuable at the next capture.",
    ),
    "spool_min_free": Note(
        "1GB",
        "Room that logs, updates and others keep. When it is not free, only better captures "
        "replace stored ones.",
    ),
    "upload_url": Note(
        "https://example.org/captures",
        "Where captures go; docs/targets.md describes each target. What waits goes to the new one.",
        "address",
    ),
    "upload_token": Note(
        "a-long-random-secret",
        "The endpoint lets this device in. As a service, put it into "
        "/etc/capture-agent/upload_token instead: other processes cannot see it there.",
    ),
    "upload_workers": Note(
        "8",
        "More at once over a fast network with long delays; fewer on a slow line, where each then "
        "has more of it.",
    ),
    "upload_timeout": Note(
        "2m",
        "Raise it on a line so slow that one image takes longer; a request that takes longer is "
        "broken off and tried again.",
    ),
    "upload_max_rate": Note(
        "100kB",
        "Leaves the line to others. A backlog takes longer to drain.",
    ),
    "upload_window": Note(
        "01:00-05:00",
        "Captures wait until the window opens, so the spool must hold a day's.",
        "span of time, or a word",
    ),
    "upload_ca": Note(
        "/etc/capture-agent/ca.pem",
        "An endpoint with a certificate of your own authority is trusted, and no other.",
    ),
    "upload_client_cert": Note(
        "/etc/capture-agent/device.pem",
        "The endpoint knows the device by its certificate, besides or instead of a token. The "
        "file must be readable by the service's user and nobody else.",
    ),
    "upload_proxy": Note(
        "http://10.0.0.1:3128",
        "All requests go through it. It is never taken from the environment of a login.",
        "address, secret",
    ),
    "log_level": Note(
        "debug",
        "`debug` adds why each frame was captured or not, one line a frame; `warning` leaves only "
        "what needs somebody.",
    ),
    "log_format": Note(
        "json",
        "How lines look, not what they say.",
    ),
    "metrics_file": Note(
        "/var/lib/node_exporter/capture-agent.prom",
        "Figures for Prometheus without a listening socket. The sandbox must let the agent write "
        "there: see docs/operating.md.",
    ),
}
