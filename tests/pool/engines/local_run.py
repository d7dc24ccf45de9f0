"""Runs of the local engine with `CountingAnalyser`, here or in a process that is killed."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from agent.errors import AgentError
from agent.pool.engine import AnalysisProgress
from agent.pool.engines.local import LocalEngine
from agent.pool.items import ItemKind, PoolItem
from agent.pool.store.local_place import LocalPlace
from agent.pool.store.store import PartStore
from tests.pool.counting_analyser import CountingAnalyser


def store_of(out: Path) -> PartStore:
    place = LocalPlace(out)
    place.prepare()
    return PartStore(place)


def items_of(keys: Sequence[str]) -> list[PoolItem]:
    """Images, and recordings below `/r/`."""
    return [
        PoolItem(key, ItemKind.RECORDING if key.startswith("/r/") else ItemKind.IMAGE, "yard")
        for key in keys
    ]


def analyse(
    out: Path,
    keys: Sequence[str],
    *,
    workers: int = 1,
    seconds: float = 0.0,
    tell: Callable[[AnalysisProgress], None] = lambda _: None,
) -> None:
    """Analyse items into a folder; each image takes some time."""
    make = partial(CountingAnalyser, out / "decoded", seconds)
    LocalEngine(workers).run(items_of(keys), make, partial(store_of, out), tell)


def decoded(out: Path) -> Counter[str]:
    """How often each image, and each frame, was decoded."""
    return Counter((out / "decoded").read_text().split())


def main() -> None:
    """Run with the arguments OUT, IMAGES and WORKERS, until killed or done.

    One image more is held: without a file `go` in OUT it is never done.
    """
    out, images, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    keys = ["/r/1", "/r/2", *(f"/i/{n:03d}" for n in range(images)), "/i/held"]
    try:
        analyse(out, keys, workers=workers, seconds=0.004)
    except AgentError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
