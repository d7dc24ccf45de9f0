"""The health of a dataset: what it holds, what is missing in it, and what to do about it."""
