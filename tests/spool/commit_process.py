"""Two lives of an index, one after the other, that tell on standard output what was promised.

Usage: commit_process.py FOLDER COMMITS

Lines: `done N`, `refused N`, `doubtful N`, and `found N N N ...` after an index was opened. A life
ends as if by SIGKILL, at the latest with its first doubt.
"""

import os
import sys
from pathlib import Path

from agent.spool.index import Index, IndexChange
from agent.spool.index_reading import InDoubtError

LENGTH = 20_000  # of a note: so that a few commits fill the journal
PLANTED = os.environ.get("PLANTED")
RESTARTS = 9  # of one life, while the disk refuses to open the index


class Unsettled(Index):
    """Takes SQLite's word for it that what was refused never was."""

    def settle(self) -> None:
        self._is_in_doubt = False


def tell(text: str) -> None:
    """In one system call, in order with all others."""
    os.write(1, f"{text}\n".encode())


def opened(folder: Path) -> Index:
    """The index, which a disk may refuse to open."""
    for _ in range(RESTARTS):
        try:
            index = (Unsettled if PLANTED else Index)(folder)
            found = index.load()
        except OSError:
            continue
        tell(" ".join(["found", *sorted(found.notes.keys() - {"settled"})]))
        return index
    raise SystemExit("cannot open the index")


def live(folder: Path, numbers: range) -> None:
    """Commit so many notes, or fewer."""
    index = opened(folder)
    for number in numbers:
        try:
            index.commit(IndexChange(notes={str(number): "x" * LENGTH}))
        except InDoubtError:
            tell(f"doubtful {number}")
            return
        except OSError:
            tell(f"refused {number}")
        else:
            tell(f"done {number}")


def main() -> None:
    """The second life begins when the first has ended."""
    folder, commits = Path(sys.argv[1]), int(sys.argv[2])
    child = os.fork()
    if child == 0:
        live(folder, range(commits))
        os._exit(0)
    os.waitpid(child, 0)
    live(folder, range(commits, commits + 3))
    os._exit(0)


if __name__ == "__main__":
    main()
