"""A model file: its weights, metadata, labels and the files beside it."""
