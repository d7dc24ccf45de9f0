"""Limits on the time of a request that are met soon, also where a machine stands still for long."""

import time
from collections.abc import Callable

import pytest

from agent.errors import TargetUnavailable

LIMITS_S = (0.8, 6.0, 40.0)
"""The next one is for a machine on which a part of the request took all of the one before."""


def require_limit(send: Callable[[float], object]) -> None:
    """Fail unless `send`, which is told a limit in seconds, ends at it without a whole response.

    The look-up of a name is a part of the request that says itself when it took too long.
    """
    for limit in LIMITS_S:
        began = time.monotonic()
        with pytest.raises(TargetUnavailable) as caught:
            send(limit)
        took = time.monotonic() - began
        if "look-up of its name" not in str(caught.value):
            break

    assert f"no whole response within {limit:g} s" in str(caught.value)
    assert 0.9 * limit < took < limit + 30
