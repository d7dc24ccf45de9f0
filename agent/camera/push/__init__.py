"""Frames that an application sends, with what its own model found in them or without.

- `intake.py` takes them: it checks the image's header and the predictions, and decodes nothing.
- `door.py` holds the newest one until the camera's thread takes it.
- `source.py` is that camera: it decodes the image.
- `predictions.py` is the one door for predictions; `values.py` and `shapes.py` check parts of them.
"""
