"""Texts of others on a page."""

import sys
from html import escape

from agent.printable import printable


def html_of(text: str) -> str:
    r"""Return a text as HTML, also for an attribute.

    What nobody sees of it becomes an escape such as `\u202e`: control characters, and marks that
    change the direction of writing.
    """
    return escape(printable(text, sys.maxsize))
