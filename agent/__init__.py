"""The capture agent: frames in, the ones worth labelling out, each delivered exactly once.

One way through, and the folders are its stations:

    camera/ -> detector/ -> selection/ -> spool/ -> upload/

- `camera/` turns a device, a stream or a recording into `Frame`s, and says `CameraLost`.
- `detector/` runs the ONNX model: pixels in, `Detection`s in pixels of the frame out.
- `selection/` decides, without any input or output, which frames become a `Capture`, and why.
- `spool/` keeps captures through power cuts and full disks until they are delivered.
- `upload/` knows the far sides: what each request looks like and what each answer means.

`runtime/` moves the data along that way in threads, and owns start and stop:

    camera threads         inference workers         writer            uploader threads
    FrameSource -mailbox-> Detector, Selector -queue-> encode, Spool -> UploadTarget

`replay/` runs the same selection over recordings, on their own clock, with nothing uploaded.

Exactly two places may lose data, and both count what they lose: a camera's one-frame mailbox
(`runtime/mailbox.py`) and eviction (`spool/eviction.py`). The spool keeps the law
`stored = delivered + set aside + evicted + waiting`.

Modules are layers; each imports only from below, and a test holds it:

    errors, domain < ports and pure code < config, logs, files < adapters < runtime < app
    < replay < cli

`app.py` alone knows everybody: settings in, wired agent out. `config.py` declares each setting
once; the parser, the messages, the env file and the README table come from there.
"""

__version__ = "0.1.0"
