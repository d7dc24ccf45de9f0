"""The detector stage: an image in, detections or classes out, boxes in pixels of that image.

    pixels -> preprocessing -> session -> formats -> nms -> letterbox -> detections

Start reading in `detector.py`; other packages need only its `load_detector`. Only `session.py`
imports onnxruntime, and only `preprocessing.py` and `nms.py` import OpenCV. `formats/` and
`letterbox.py` are pure: a new family of models is one file in `formats/`.
"""
