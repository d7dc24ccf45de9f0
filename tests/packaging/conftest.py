"""The scripts of a release are no package: they lie beside it."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "packaging"))
