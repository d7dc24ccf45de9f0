"""From the settings to one part of the agent; each part is built here and nowhere else.

The daemon (`app.py`) and every command use these functions, so that a model, a spool or a target
is the same for all of them. The libraries of a part (onnxruntime, OpenCV, requests) are imported
when it is built: `status` builds none of them.
"""
