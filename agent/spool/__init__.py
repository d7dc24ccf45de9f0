"""Captures on disk that no endpoint has confirmed yet."""
