"""Servers with faults come from the tests of the upload, small disks from those of the spool."""

import sys
from pathlib import Path

for folder in ("upload", "spool"):
    sys.path.append(str(Path(__file__).parents[1] / folder))
