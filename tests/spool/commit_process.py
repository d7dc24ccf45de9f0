"""Two processes use an index, one after the other, and report on standard output what they did.

Usage: commit_process.py FOLDER COMMITS

Lines: `done N`, `refused N`, `doubtful N`, and `found N N N ...` after an index was opened. A
process ends as if by SIGKILL, at the latest after its first commit in doubt.
"""

import os
import sys
from pathlib import Path

from agent.spool.index import Index, IndexChange
from agent.spool.index_reading import InDoubtError

LENGTH = 20_000  # bytes of a note, so that a few commits fill the journal
PLANTED = os.environ.get("PLANTED")
RESTARTS = 9  # attempts to open the index


class TrustsSqlite(Index):
    """A planted bug: believes SQLite that a refused commit changed nothing."""

    def discard_failed(self) -> None:
        self._is_in_doubt = False


def report(text: str) -> None:
    """Write a line in one system call, so that the trace has it in order."""
    os.write(1, f"{text}\n".encode())


def opened(folder: Path) -> Index:
    """Open the index; retry while the disk refuses."""
    for _ in range(RESTARTS):
        try:
            index = (TrustsSqlite if PLANTED else Index)(folder)
            found = index.load()
        except OSError:
            continue
        report(" ".join(["found", *sorted(found.notes.keys() - {"settled"})]))
        return index
    raise SystemExit("cannot open the index")


def live(folder: Path, numbers: range) -> None:
    """Commit one note for each number; stop at the first commit in doubt."""
    index = opened(folder)
    for number in numbers:
        try:
            index.commit(IndexChange(notes={str(number): "x" * LENGTH}))
        except InDoubtError:
            report(f"doubtful {number}")
            return
        except OSError:
            report(f"refused {number}")
        else:
            report(f"done {number}")


def main() -> None:
    """Run the first process, then the second."""
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
