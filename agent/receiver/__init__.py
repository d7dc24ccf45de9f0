"""A small real endpoint: receives captures over HTTP into a dataset folder."""
