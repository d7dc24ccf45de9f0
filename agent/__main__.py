"""`python -m agent` is the same as `capture-agent`."""

from agent.cli import main

main()
