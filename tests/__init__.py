"""The tests, one folder for each folder of the package; what several share is in `fakes/`."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The checkout."""
