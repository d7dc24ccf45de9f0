"""The command's side of the engine: starts the driver process and shows what it says."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from math import ceil
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, TypeVar

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.engine import AnalysisProgress, AnalysisStopped, MakesAnalyser, RowStore
from agent.pool.engines.messages import Failed
from agent.pool.engines.ray.access import access
from agent.pool.engines.ray.batches import batch_size, batches
from agent.pool.engines.ray.plan import Connected, Counts, Done, Message, Plan, Reached
from agent.pool.engines.ray.temporary import remove_left
from agent.pool.engines.stop_signals import StopSignals
from agent.pool.engines.task_queue import TaskQueue
from agent.pool.items import PoolItem
from agent.printable import printable

_Kind = TypeVar("_Kind")

_BUG = 70
"""Exit code of a Python exception. Ray ends a process with 1 when its cluster is lost."""

_NOT_LOADED = 71
"""Exit code where Ray cannot be imported."""

_START = f"""
import os, sys
def end(*error):
    sys.__excepthook__(*error)
    sys.stderr.flush()
    os._exit({_BUG})
sys.excepthook = end
try:
    import ray, ray.data
except Exception as error:
    print(str(error).partition(chr(10))[0] or type(error).__name__, file=sys.stderr, flush=True)
    os._exit({_NOT_LOADED})
from agent.pool.engines.ray.driver import main
main(int(sys.argv[1]))
"""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # reports of use to Ray's maker
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",  # the command has its own
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # `uv run` would upload the current folder
}
_REACH_S, _START_S = 60, 120
"""How long a cluster may take to answer, and Ray to start on this machine."""
_READY_S = 180
"""How long the nodes may take until each has started a process."""
_POLL_S = 0.25  # until a signal is noticed
_END_S = 15
"""How long Ray may take to stop its processes."""
_OUTPUT_END = 4000  # bytes of its output that a traceback of the driver has
_CHUNK = 1000  # batches in a message
_SAMPLE = 8  # local files that each node looks for


class RayEngine:
    """Analyses items in the worker processes of Ray. Implements `Engine`."""

    def __init__(
        self,
        *,
        address: str = "",
        workers: int | None = None,
        gpus: float = 0,
        out: str = "",
        on_ready: Callable[[int, int], None] | None = None,
    ) -> None:
        """Make an engine.

        Args:
            address: HOST:PORT of the head of a running cluster, or `auto`; empty: Ray is started
                on this machine for the run.
            workers: Processes at the same time; None: one for each core.
            gpus: GPUs of each worker; a part of one if several share it.
            out: The local folder that the rows go to; empty: they go to a bucket.
            on_ready: Is told how many workers and nodes there are.
        """
        self._address = address
        self._workers = workers
        self._gpus = gpus
        self._out = out
        self._on_ready = on_ready
        self.returned = 0
        """Bytes that the workers of the last run returned."""

    def run(
        self,
        items: Sequence[PoolItem],
        make_analyser: MakesAnalyser,
        open_store: Callable[[], RowStore],
        progress: Callable[[AnalysisProgress], None],
    ) -> None:
        """Analyse the items that are not finished yet; an interrupted run goes on where it was.

        Raises:
            AnalysisStopped: Ctrl-C or SIGTERM; all that was analysed is kept.
            ConfigurationError: The cluster cannot be used, or what an analyser raises.
            TemporaryError: The cluster does not answer, or what an analyser raises.
        """
        kept = open_store().kept()
        queue = TaskQueue(items, kept)
        before = AnalysisProgress(
            len(items) - len(queue), len(items), kept.rows, kept.unreadable, tuple(kept.damaged)
        )
        progress(before)
        if not queue:
            return
        plan = Plan(
            address=self._address,
            workers=self._workers,
            gpus=self._gpus,
            make_analyser=make_analyser,
            open_store=open_store,
            out=self._out,
            sample=_sample(items),
        )
        with StopSignals() as signals, _driver(signals, self._address) as driver:
            driver.send(plan)
            driver.reach(self._address)
            ready = driver.expect(Connected, self._address, _READY_S)
            if self._on_ready:
                self._on_ready(ready.workers, ready.nodes)
            cut = batches(queue, batch_size(len(queue), ready.workers))
            while chunk := list(islice(cut, _CHUNK)):
                driver.send(chunk)
            driver.send(None)
            for counts in driver.counts():
                self.returned = counts.returned
                progress(
                    AnalysisProgress(
                        before.done + counts.done,
                        before.total,
                        before.images + counts.images,
                        before.unreadable + counts.unreadable,
                    )
                )


def _sample(items: Sequence[PoolItem]) -> tuple[tuple[str, int], ...]:
    """Return path and size in bytes of some files on this machine's disk, spread over all."""
    found = []
    for number in range(0, len(items), max(1, len(items) // _SAMPLE)):
        key = items[number].key
        if key.startswith("/"):
            with contextlib.suppress(OSError):
                found.append((key, Path(key).stat().st_size))
    return tuple(found)


class _Driver:
    """The driver process, as the command sees it."""

    def __init__(
        self,
        connection: Connection,
        process: subprocess.Popen[bytes],
        output: IO[bytes],
        signals: StopSignals,
    ) -> None:
        self._connection = connection
        self._signals = signals
        self._process = process
        self._output = output
        self.end_s = _END_S
        """Seconds that it may take to end; none while it waits for an address in vain."""

    def send(self, what: object) -> None:
        """Send the plan, or batches. A driver that has ended says why when it is asked."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(what)

    def reach(self, address: str) -> None:
        """Wait until Ray answers."""
        self.end_s = 0 if address else _END_S
        self.expect(Reached, address, _REACH_S if address else _START_S)
        self.end_s = _END_S

    def expect(self, kind: type[_Kind], address: str, seconds: float) -> _Kind:
        """Wait for a message of a kind."""
        if not self._poll(seconds):
            raise TemporaryError(
                f"cannot use Ray at {printable(address)}: it does not answer within "
                f"{seconds:.0f} s; look at `ray status`, and check that --address is HOST:PORT of "
                "the cluster's head, usually port 6379"
                if address
                else f"cannot start Ray: it is not ready after {seconds:.0f} s; try again when "
                "this machine is less busy, or use --engine local"
            )
        message = self._received()
        if not isinstance(message, kind):
            raise TypeError(f"the driver of Ray sent {message!r}")
        return message

    def counts(self) -> Iterator[Counts]:
        """Yield what the driver counts, until all is done."""
        while not isinstance(message := self._received(), Done):
            if isinstance(message, Counts):
                yield message

    def _poll(self, seconds: float) -> bool:
        """Wait for a message, or for a signal that stops all; return whether there is one."""
        for _ in range(ceil(seconds / _POLL_S)):
            if self._signals.number:
                raise AnalysisStopped(
                    "stopped: what was analysed is kept; call the same command again to go on",
                    number=self._signals.number,
                )
            if self._connection.poll(_POLL_S):
                return True
        return False

    def _received(self) -> Message:
        """Return the next message. Raises what the driver says if it has failed."""
        try:
            while not self._poll(_READY_S):
                pass
            message: Message = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._ended() from None
        if isinstance(message, Failed):
            error = TemporaryError if message.is_temporary else ConfigurationError
            raise error(message.message)
        return message

    def _ended(self) -> Exception:
        """Return why the driver ended without a word."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _OUTPUT_END))
        output = self._output.read().decode(errors="replace").rstrip()
        if self._process.returncode == _BUG:
            return RuntimeError(f"the driver of Ray failed:\n{output}")
        if self._process.returncode == _NOT_LOADED:
            return ConfigurationError(
                f"cannot load Ray: {printable(output.rpartition(chr(10))[2])}; install it again in "
                "the agent's environment: pip install --force-reinstall "
                "'edge-capture-agent[pool]', or use --engine local"
            )
        return TemporaryError(
            "cannot go on with Ray: its driver ended, as it does when the cluster is lost; what "
            "was analysed is kept, call the same command again. It said last: "
            f"{printable(output.rpartition(chr(10))[2] or 'nothing')}"
        )


@contextmanager
def _driver(signals: StopSignals, address: str) -> Iterator[_Driver]:
    """Run the driver process; it is gone after the block."""
    here, there = Pipe()
    paths = [each for each in sys.path if Path(each).is_absolute()]
    with here, tempfile.TemporaryFile() as output:
        with there:
            process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [sys.executable, "-P", "-c", _START, str(there.fileno())],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=os.environ | _QUIET | access(address) | {"PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,  # Ctrl-C reaches the command alone, which then ends this
            )
        driver = _Driver(here, process, output, signals)
        try:
            yield driver
        finally:
            here.close()
            try:
                process.wait(driver.end_s)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            remove_left(process.pid)
