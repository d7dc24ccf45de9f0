"""What pushed frames cost, beside the same work without HTTP.

Real images of 1280x720 with ten detections each go over loopback TCP and over a unix socket, one
after the other on a kept connection; no model runs.
"""
