"""Variants of reviewed captures for what a dataset lacks, with labels that need no review."""
