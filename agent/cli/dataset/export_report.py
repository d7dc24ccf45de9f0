"""What `dataset export` prints."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.dataset.export.contents import Contents
from agent.dataset.splits import Split
from agent.printable import printable
from agent.settings.units import show_duration


def show(contents: Contents, out: Path, *, is_new: bool) -> None:
    """Print the version, the splits, what was left out and what leaks; warnings to stderr."""
    version = contents.version[:12]
    if not is_new:
        print(f"nothing to do: {printable(out)} is this very version, {version}")
    else:
        images = len(contents.captures)
        print(f"exported {images} captures to {printable(out)}, version {version}")
    screen = Console(highlight=False, emoji=False)
    _show_splits(contents, screen)
    for why, count in contents.left_out.items():
        screen.print(f"left out: {count} {why}", soft_wrap=True, markup=False)
    _show_leaks(contents, screen)
    for note in contents.notes:
        print(f"capture-agent: warning: {note}", file=sys.stderr)


def _show_splits(contents: Contents, screen: Console) -> None:
    counts = contents.counts()
    origins = sorted({origin for by_origin in counts.values() for origin in by_origin})
    table = Table("", "captures", *origins, box=None, padding=(0, 3, 0, 0))
    for split, by_origin in counts.items():
        cells = (str(by_origin.get(origin, 0)) for origin in origins)
        table.add_row(split, str(sum(by_origin.values())), *cells)
    screen.print(table)


def _show_leaks(contents: Contents, screen: Console) -> None:
    """Show the leak table: rows are splits, columns are seconds."""
    rows = {split: contents.leaks[split] for split in (Split.VAL, Split.TEST)}
    shown = next((leaks for leaks in rows.values() if leaks), None)
    if shown is None:
        return
    seconds = [show_duration(row.within) for row in shown]
    screen.print("frames with a training frame of the same camera within", soft_wrap=True)
    table = Table("", *seconds, box=None, padding=(0, 3, 0, 0))
    for split, leaks in rows.items():
        if leaks:
            table.add_row(split, *(f"{row.share:.1%}" for row in leaks))
            by_chance = (f"{row.at_random:.1%}" for row in leaks)
            table.add_row(f"{split} of a random split", *by_chance)
    screen.print(table)
