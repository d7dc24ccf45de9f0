"""Selects the frames to capture. Pure: it does no input or output and reads no clock."""
