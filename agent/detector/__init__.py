"""The detector station: a picture in, what the model saw in it out, in pixels of that picture.

    pixels -> preparation -> session -> formats -> nms -> letterbox -> detections

`detector.py` is the way through and the place to start; `load_detector` there is all that others
need. `session.py` alone knows onnxruntime, `preparation.py` and `nms.py` alone know OpenCV.
`formats/` and `letterbox.py` are pure: a new family of models is one file in `formats/`.
"""
