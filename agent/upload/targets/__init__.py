"""One file for each kind of endpoint; `registry.py` maps addresses to targets."""
