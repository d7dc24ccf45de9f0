"""Versions of a dataset to train with: chosen, split, and written in the form of other tools."""
