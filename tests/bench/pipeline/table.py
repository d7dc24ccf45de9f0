"""The rows of the bench's result, as text, as Markdown and as JSON."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

LIBRARIES = ("onnxruntime", "opencv-python-headless", "av", "numpy")
COLUMNS = ("measured", "daemon", "compared with", "ratio", "spread of the ratio", "aim")


@dataclass(slots=True)
class Row:
    """One measured quantity, for the daemon and for what it is compared with.

    Each list has one figure per round; the figures of one round belong together.
    """

    name: str
    unit: str
    daemon: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)  # empty: compared with nothing
    other_name: str = ""
    aim: str = ""
    digits: int = 1

    @property
    def ratios(self) -> list[float]:
        """The daemon's figure by the other, for each round."""
        return [mine / other for mine, other in zip(self.daemon, self.other, strict=False)]

    def cells(self) -> tuple[str, ...]:
        """Return the row's text, by column."""
        ratios = self.ratios
        compared = (
            f"{self._shown(self.other)}, {self.other_name}" if self.other else self.other_name
        )
        return (
            self.name,
            self._shown(self.daemon),
            compared,
            f"{median(ratios):.2f}" if ratios else "",
            f"{min(ratios):.2f} to {max(ratios):.2f}" if len(ratios) > 1 else "",
            self.aim,
        )

    def as_json(self) -> dict[str, Any]:
        """Return all figures."""
        return {
            "name": self.name,
            "unit": self.unit,
            "daemon": self.daemon,
            "other": self.other,
            "other_name": self.other_name,
            "ratios": self.ratios,
            "ratio": median(self.ratios) if self.ratios else None,
            "aim": self.aim,
        }

    def _shown(self, figures: Sequence[float]) -> str:
        return f"{median(figures):.{self.digits}f} {self.unit}".strip() if figures else ""


def machine() -> str:
    """Return a sentence that names the machine and the versions of the libraries."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    return (
        f"{names[0] if names else platform.machine()}, {cores} cores, {memory:.0f} GB, "
        f"{platform.system()} {platform.machine()}; Python {platform.python_version()}, {versions}"
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the table as it stands in docs/performance.md."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def as_text(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    lines = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
