"""Reads frames from devices, streams and recordings; raises `CameraLost` if there are none.

- `address.py` parses AGENT_CAMERAS to `CameraAddress`es; it opens nothing.
- `open.py` makes the `FrameSource` for an address.
- `live.py` reads cameras, `recording.py` reads video files and folders of images.
- `schedule.py` decides which frames are due and detects frozen images; it is pure.
- `push/` takes the frames that an application sends.
- `program/` runs the program of an `exec:` camera and cuts its output into frames.
- `opencv.py` has the OpenCV functions that all of them use.
"""
