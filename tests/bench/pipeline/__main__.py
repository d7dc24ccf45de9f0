"""The command line of the bench: `python -m tests.bench.pipeline --help`."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.pipeline.gate import gate
from tests.bench.pipeline.memory import memory
from tests.bench.pipeline.plan import Plan
from tests.bench.pipeline.recordings import Recordings
from tests.bench.pipeline.soak import soak
from tests.bench.pipeline.speed import paced, throughput
from tests.bench.pipeline.start import start
from tests.bench.pipeline.table import Row, as_markdown, as_text, machine

PARTS: Mapping[str, Callable[[Plan], list[Row]]] = {
    "throughput": throughput,
    "paced": paced,
    "gate": gate,
    "start": start,
    "memory": memory,
    "soak": soak,
}
SLOW = frozenset({"soak"})
"""Parts that run only if they are named."""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=1000, help="of a run at full speed")
    parser.add_argument("--seconds", type=int, default=20, help="of a paced run")
    parser.add_argument("--minutes", type=float, default=1.0, help="of the soak")
    parser.add_argument("--only", action="append", choices=PARTS, help="may be repeated")
    parser.add_argument("--markdown", action="store_true", help="the table of docs/performance.md")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    options = parser.parse_args()
    rows: list[Row] = []
    with TemporaryDirectory(prefix="pipeline-bench-") as folder:
        plan = Plan(
            Recordings(Path(folder)),
            rounds=options.rounds,
            frames=options.frames,
            seconds=options.seconds,
            minutes=options.minutes,
        )
        for name in options.only or [name for name in PARTS if name not in SLOW]:
            print(f"{name} ...", file=sys.stderr)
            rows += PARTS[name](plan)
    print(as_markdown(rows) if options.markdown else as_text(rows))
    print(f"\n{machine()}; {options.rounds} rounds, medians")
    if options.json is not None:
        found = {"machine": machine(), "rows": [row.as_json() for row in rows]}
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
