"""How long a test waits for a command or a condition that surely comes.

A machine that is slow and does other things beside needs ten times what a quiet one does. What
hangs for good is ended by the limit of pytest (`timeout` in pyproject.toml), which is longer.
"""

LIMIT_S = 600.0
