"""Cameras on the network: HTTP requests, still images and MJPEG, and what RTSP cameras answer."""
