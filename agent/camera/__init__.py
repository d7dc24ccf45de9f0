"""A device, a stream or a recording in, `Frame`s out; `CameraLost` when there are none.

- `address.py` reads AGENT_CAMERAS; text in, `CameraAddress`es out, nothing is opened.
- `open.py` turns an address into the `FrameSource` that fits.
- `live.py` reads cameras, `recording.py` video files and folders of images.
- `schedule.py` decides, without any input or output, which frames are due and what is frozen.
- `opencv.py` holds what all of them need of OpenCV.
"""
