"""Measures a model from reviewed captures: box matching, metrics and their intervals."""
