"""What a node of a cluster says of itself.

Its source is sent to nodes that may lack the agent, so it imports the standard library alone.
"""

import importlib
import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path

LIBRARIES = ("onnxruntime", "opencv-python-headless", "numpy", "av", "pyarrow")
"""Other versions of these may find other things in the same image."""


def node_facts(marker: str, sample: Sequence[tuple[str, int]]) -> dict[str, object]:
    """Return the versions of this node, and what it does not see of the files.

    Args:
        marker: A file that exists in the output folder; empty: do not look.
        sample: Path and size of files of the sources; size 0: unknown.
    """
    unseen = [marker] if marker and not Path(marker).is_file() else []
    for path, size in sample:
        try:
            found = Path(path).stat().st_size
        except OSError:
            unseen.append(path)
        else:
            if size and found != size:
                unseen.append(path)
    return {"versions": versions(), "unseen": unseen}


def versions() -> dict[str, str]:
    """Return the version of each library that matters; empty if it is not there."""
    try:
        agent = str(importlib.import_module("agent").__version__)
    except ImportError:
        agent = ""
    found = {"capture-agent": agent, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = ""
    return found
