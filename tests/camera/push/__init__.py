"""Frames that an application sends."""
