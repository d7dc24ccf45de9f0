"""How far an analysis is: a bar on a terminal, elsewhere a line now and then."""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from agent.printable import printable
from agent.system import SystemClock

if TYPE_CHECKING:
    from agent.pool.engine import AnalysisProgress
    from agent.ports import Clock

LINE_S = 10.0
"""Seconds between two lines where there is no terminal; they grow tenfold with the run."""

_WINDOW_S = 60.0  # that the rate is taken over
_SAMPLE_S = 1.0
_NOTE_MAX = 1000  # characters


class Rate:
    """The speed of a run over its last minute; what former runs have done is no part of it."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int]] = deque()  # seconds, items, images
        self._is_started = False

    def add(self, now: float, progress: "AnalysisProgress") -> None:
        """Take how far the analysis is at `now`, in seconds of a clock that never steps."""
        sample = (now, progress.done, progress.images)
        if self._samples and progress.done < self._samples[-1][1]:  # another analysis begins
            self._samples.clear()
            self._is_started = False
        if len(self._samples) == 1 and not self._is_started:
            self._is_started = sample[1:] != self._samples[0][1:]
            self._samples[0] = sample  # until the first image, models are loaded
        elif len(self._samples) > 1 and now - self._samples[-2][0] < _SAMPLE_S:
            self._samples[-1] = sample
        else:
            self._samples.append(sample)
        while now - self._samples[0][0] > _WINDOW_S and len(self._samples) > 2:  # noqa: PLR2004
            self._samples.popleft()

    @property
    def images(self) -> float:
        """Images in a second."""
        return self._per_second(2)

    def seconds_left(self, progress: "AnalysisProgress") -> float | None:
        """Return about how long the rest takes; None before that can be told."""
        items = self._per_second(1)
        return (progress.total - progress.done) / items if items else None

    def _per_second(self, column: int) -> float:
        if not self._samples:
            return 0.0
        first, last = self._samples[0], self._samples[-1]
        seconds = last[0] - first[0]
        return (last[column] - first[column]) / seconds if seconds > 0 else 0.0


def facts_of(progress: "AnalysisProgress", rate: Rate) -> str:
    """Return rate, time left and unreadable images for a person."""
    facts = []
    if rate.images:
        facts.append(f"{rate.images:,.1f} images a second")
    left = rate.seconds_left(progress)
    if left is not None and progress.done < progress.total:
        facts.append(f"about {_time(left)} left")
    if progress.unreadable:
        facts.append(f"{progress.unreadable:,} unreadable")
    return ", ".join(facts)


@contextmanager
def analysis_shown(
    what: str, *, screen: TextIO | None = None, clock: "Clock | None" = None
) -> "Iterator[Callable[[AnalysisProgress], None]]":
    """Show on standard error how far an analysis is; notes are told at once.

    Gives what takes the progress.
    """
    shown = screen or sys.stderr
    if shown.isatty():
        with _bar(what, clock or SystemClock()) as told:
            yield told
    else:
        yield _Lines(what, shown, clock or SystemClock()).tell


class _Lines:
    def __init__(self, what: str, screen: TextIO, clock: "Clock") -> None:
        self._what = what
        self._screen = screen
        self._clock = clock
        self._rate = Rate()
        self._started = self._told = clock.monotonic()

    def tell(self, progress: "AnalysisProgress") -> None:
        now = self._clock.monotonic()
        self._rate.add(now, progress)
        for note in progress.notes:
            self._say(printable(note, _NOTE_MAX))
        pause = max(LINE_S, (now - self._started) / 100)  # a log of a week is not full of them
        if now - self._told >= pause:
            self._told = now
            done = f"{progress.done:,} of {progress.total:,} items"
            facts = facts_of(progress, self._rate)
            self._say(f"{self._what}: {done}, {facts}" if facts else f"{self._what}: {done}")

    def _say(self, line: str) -> None:
        self._screen.write(f"{line}\n")
        self._screen.flush()


@contextmanager
def _bar(what: str, clock: "Clock") -> "Iterator[Callable[[AnalysisProgress], None]]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    rate = Rate()
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("items  {task.fields[facts]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=None, facts="")

        def told(progress: "AnalysisProgress") -> None:
            rate.add(clock.monotonic(), progress)
            for note in progress.notes:
                bar.print(printable(note, _NOTE_MAX), markup=False, highlight=False)
            bar.update(
                task,
                total=progress.total,
                completed=progress.done,
                facts=facts_of(progress, rate),
            )

        yield told


def _time(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 100:  # noqa: PLR2004
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h" if hours < 100 else f"{hours / 24:.0f} days"  # noqa: PLR2004
