"""A model file from outside: its weights, metadata, labels and the files beside it."""
