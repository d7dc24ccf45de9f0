"""A process that stores captures without end and prints the id of each stored one."""

import sys
from pathlib import Path

from tests.fakes.captures import new_capture
from tests.spool.spool_builders import open_real


def main() -> None:
    """Argument: the folder of the spool."""
    with open_real(Path(sys.argv[1])) as spool:
        number = 0
        while True:
            captures = [new_capture(number + one, size=20_000) for one in range(1, 4)]
            number += 3
            spool.put(captures)
            for one in captures:
                sys.stdout.write(one.id + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
