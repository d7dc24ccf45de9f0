"""The detector stage: an image in, what the model saw in it out, in pixels of that image.

    pixels -> preprocessing -> session -> formats -> nms -> letterbox -> detections

`detector.py` is the way through and the place to start; `load_detector` there is all that others
need. `session.py` alone knows onnxruntime, `preprocessing.py` and `nms.py` alone know OpenCV.
`formats/` and `letterbox.py` are pure: a new family of models is one file in `formats/`.
"""
