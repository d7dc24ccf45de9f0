"""Makes `ids.txt`: what to ask devices for, instead of the images themselves.

    DEVICE ID       a capture of a device
    - KEY           an image that no device captured

Sorted by device, then in the order of the choice.
"""

import json
from collections.abc import Sequence

from agent.pool.output.chosen import ChosenImage
from agent.printable import printable

_NO_DEVICE = "-"
_LONGEST = 5000  # characters of a path


def ids_text(chosen: Sequence[ChosenImage]) -> str:
    """Return the content of `ids.txt`."""
    lines = []
    for each in chosen:
        if each.is_capture:
            device = str(json.loads(each.row.record).get("device") or _NO_DEVICE)
            lines.append((device, each.order, each.row.id))
        else:
            lines.append((_NO_DEVICE, each.order, each.row.key))
    lines.sort(key=lambda line: (line[0] == _NO_DEVICE, line))
    return "".join(
        f"{printable(device)} {printable(name, _LONGEST)}\n" for device, _, name in lines
    )
