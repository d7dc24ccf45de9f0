"""How far Hypothesis searches: a few examples in each run, all of them where `.ci/run` asks.

`THOROUGH_TESTS=1 pytest -m hypothesis` runs every search in full. New examples are drawn each time,
so that few of them in many runs find what many in one run would.
"""

import os

IS_THOROUGH = os.environ.get("THOROUGH_TESTS") == "1"
FEWEST = 20


def examples(count: int) -> int:
    """Return how many examples a search of `count` tries in this run."""
    return count if IS_THOROUGH else max(FEWEST, count // 5)
