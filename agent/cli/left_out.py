"""Names the captures that a command leaves out because their record is not valid."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def left_out_told(skipped: Sequence[str]) -> Iterator[None]:
    """Name them once: when the rest is done, with the exit code for it, or before another error.

    `skipped` has them at the end of the block. Raises `ConfigurationError`.
    """
    from agent.dataset.records import require_none_skipped, skipped_note
    from agent.errors import AgentError

    try:
        yield
    except AgentError:
        for note in skipped_note(skipped):  # else the error would hide it
            print(f"capture-agent: warning: {note}", file=sys.stderr)
        raise
    require_none_skipped(skipped)
