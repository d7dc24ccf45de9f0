"""A process that owns a spool: prints the id of each capture that `put` returned for, for ever."""

import sys
from pathlib import Path

from tests.spool.spool_builders import draft, open_real


def main() -> None:
    """Argument: the folder of the spool."""
    with open_real(Path(sys.argv[1])) as spool:
        number = 0
        while True:
            drafts = [draft(number + one, size=20_000) for one in range(1, 4)]
            number += 3
            spool.put(drafts)
            for one in drafts:
                sys.stdout.write(one.id + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
