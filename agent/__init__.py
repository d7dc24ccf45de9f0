"""Capture frames that are worth labelling, and deliver each of them exactly once.

The package has two halves. On the device, data flows one way, and each folder is one stage:

    camera/ -> detector/ -> selection/ -> record/ -> spool/ -> upload/

- `camera/` turns a device, a stream or a recording into `Frame`s; it raises `CameraLost`.
- `detector/` runs the ONNX model: pixels in, detections in pixels of the frame out.
- `selection/` decides which frames become a `Capture` and why; it does no input or output.
- `record/` makes a capture's JSON record and encodes its image.
- `spool/` keeps captures through power cuts and full disks until they are delivered.
- `exchange/` is the folder through which other processes watch the daemon and ask it.
- `upload/` has one target per kind of endpoint: it builds requests and checks responses.
- `api/` and `mqtt/` let applications and people beside the daemon see and say; off by default.

`runtime/` moves the data through these stages in threads, and controls start and stop:

    camera threads         inference workers         writer            uploader threads
    FrameSource -mailbox-> Detector, Selector -queue-> encode, Spool -> UploadTarget

With `AGENT_CLIP` one more thread before the writer adds the frames before and after a capture.

At the desk, people work with the captures that arrived, and what they find out flows back to the
devices as one small file:

    receiver/ -> dataset/ -> review/ -> evaluation/ -> feedback file -> selection/

- `receiver/` is an HTTP endpoint that accepts captures.
- `dataset/` is the folder they are stored in: reviews, exports, merging, health, synthesis.
- `review/` is the page on which people say what is true.
- `evaluation/` measures the model, its thresholds and the rules on reviewed captures, and makes the
  feedback file.
- `replay/` runs the device's selection on recordings, on their own clock, and uploads nothing.
- `pool/` chooses by the same value from millions of images, in many processes or machines.
- `fleet/` shows what devices say of themselves, those that need somebody first.

Both use `web/`, the guarded HTTP server of `api/` and `review/`, and `pages/`, HTML of one file.

Shared by both halves: `domain`, `errors`, `events`, `ports`, `redaction`, `progress`,
`settings/`, `logs`, `files` and `system`. Above them: `factories/` builds each part from the
settings, `app` connects the parts to a daemon, `install/` sets up the service, `cli/` is the
command line.

Exactly two places may lose data, and both count it: a camera's one-frame mailbox
(`runtime/mailbox.py`) and eviction (`spool/eviction.py`). Frames that a clip lacks are counted too,
and so are pushed frames that were replaced before they were decoded: as dropped by the mailbox.
The spool accounts for every capture:

    stored = delivered + rejected and damaged + evicted + waiting

Modules are layers. A module imports only from its own layer and those below; a test
(`tests/house/test_layers.py`) checks it:

    nouns < ports < record < pure code < shared < adapters < runtime < web < doors < dataset
    < evaluation < fleet < desk < review < factories < app < install < cli

Settings are declared once, in `settings/groups`. The parser, the error messages, the env
file and the tables in the documentation are generated from there.
"""

from agent.library_environment import set_library_environment

__version__ = "0.1.0"

set_library_environment()
