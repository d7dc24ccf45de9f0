"""What the daemon costs, beside the tightest pipeline that does the same work.

`python -m tests.bench.pipeline [--rounds N] [--only NAME]... [--markdown] [--json FILE]`

Every ratio is taken in pairs: in each round both sides run one after the other, and the next round
swaps their order, so that a noisy machine cannot favour one side. Start-up is excluded on both
sides, except where it is what is measured.
"""
