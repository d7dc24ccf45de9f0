"""The engine of one machine: each image is analysed once, whatever happens to the processes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.engine import AnalysisProgress, Kept
from agent.pool.engines import local
from agent.pool.engines.cores import usable_cores
from agent.pool.engines.messages import Task
from agent.pool.engines.task_queue import TaskQueue
from agent.pool.store.order import RowOrder
from tests import ROOT
from tests.pool.counting_analyser import FRAMES
from tests.pool.engines.local_run import analyse, decoded, items_of, store_of


def problems(out: Path) -> dict[str, str]:
    return {row.key: row.problem for row in RowOrder(store_of(out)).facts() if row.problem}


def test_images_and_recordings_are_analysed_once_and_not_again(tmp_path: Path) -> None:
    keys = ["/r/1", *(f"/i/{n}" for n in range(30)), "/i/unreadable"]
    told: list[AnalysisProgress] = []
    analyse(tmp_path, keys[:20], tell=told.append)
    analyse(tmp_path, keys, tell=told.append)
    analyse(tmp_path, keys, tell=told.append)

    assert set(decoded(tmp_path).values()) == {1}
    assert len(RowOrder(store_of(tmp_path))) == FRAMES + 31
    assert told[-1] == AnalysisProgress(32, 32, FRAMES + 31, 1)
    assert problems(tmp_path) == {"/i/unreadable": "no image"}


@pytest.mark.slow
def test_an_image_that_ends_its_process_is_tried_twice_and_named(tmp_path: Path) -> None:
    keys = [f"/i/{n}" for n in range(10)]
    analyse(tmp_path, [*keys[:3], "/i/segfault", "/i/bug", "/i/killed once", *keys[3:]])

    counts = decoded(tmp_path)
    assert problems(tmp_path) == {
        "/i/segfault": "the model or decoder crashed on it (signal SIGSEGV)",
        "/i/bug": "the model or decoder crashed on it (IndexError: no such box)",
    }
    assert {key: counts[key] for key in keys} == dict.fromkeys(keys, 1)
    assert counts["/i/segfault"] == counts["/i/bug"] == 2
    assert len(RowOrder(store_of(tmp_path))) == 13


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "kind"), [("/i/denied", ConfigurationError), ("/i/slow bucket", TemporaryError)]
)
def test_an_error_that_is_no_fault_of_the_image_ends_the_run(
    tmp_path: Path, key: str, kind: type[Exception]
) -> None:
    keys = [f"/i/{n}" for n in range(5)]
    with pytest.raises(kind, match="cannot read it"):
        analyse(tmp_path, [*keys, key, "/i/after"])

    assert store_of(tmp_path).kept().finished == set(keys)
    analyse(tmp_path, [*keys, "/i/after"])
    assert decoded(tmp_path)["/i/0"] == 1


@pytest.mark.slow
def test_a_model_that_crashes_on_everything_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_CRASHES", 2)
    with pytest.raises(ConfigurationError, match="crashed on each of the first 2 items"):
        analyse(tmp_path, [f"/i/segfault {n}" for n in range(50)])


@pytest.mark.slow
def test_an_analyser_that_cannot_be_made_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "decoded").mkdir()  # it cannot be opened

    with pytest.raises(ConfigurationError, match=r"cannot start the analysis: a worker ended \(Is"):
        analyse(tmp_path, ["/i/1", "/i/2"])


class Run:
    """A run in a process of its own, which is killed if it did not end."""

    def __init__(self, out: Path, images: int, workers: int) -> None:
        words = [sys.executable, "-m", "tests.pool.engines.local_run", str(out)]
        self._process = subprocess.Popen(
            [*words, str(images), str(workers)], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        self.out = out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process as process:
            process.kill()

    def let_go(self) -> None:
        """Let the item that is held be done."""
        (self.out / "go").touch()

    def wait_for(self, images: int) -> bool:
        """Wait until so many were decoded; return whether it still runs."""
        while self._process.poll() is None:
            file = self.out / "decoded"
            if file.exists() and file.read_bytes().count(b"\n") >= images:
                return True
            time.sleep(0.01)
        return False

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for its end; return exit code and standard error."""
        _, text = self._process.communicate()
        return self._process.returncode, text


@pytest.mark.slow
def test_killed_at_many_moments_each_image_is_decoded_once(tmp_path: Path) -> None:
    """But those that were in work: one for each worker and kill."""
    images, workers, kills = 60, 2, 0
    chance = random.Random(7)
    whole = images + 1 + 2 * FRAMES
    file = tmp_path / "decoded"
    code, text = -signal.SIGKILL, ""
    while code == -signal.SIGKILL:
        before = file.read_bytes().count(b"\n") if file.exists() else 0
        with Run(tmp_path, images, workers) as run:
            if run.wait_for(before + chance.randint(20, 50)):
                run.signal(signal.SIGKILL)
            code, text = run.end()
            kills += code == -signal.SIGKILL
            run.let_go()  # the first kill is certain

    counts = decoded(tmp_path)
    assert (code, text) == (0, "")
    assert kills >= 1
    assert len(counts) == whole
    assert counts.total() <= whole + kills * workers
    assert len(RowOrder(store_of(tmp_path))) == whole
    assert store_of(tmp_path).kept().rows == whole


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_and_keeps_all(tmp_path: Path, number: signal.Signals) -> None:
    with Run(tmp_path, 300, 2) as run:
        assert run.wait_for(60)
        run.signal(number)
        run.let_go()
        code, text = run.end()
    done = len(store_of(tmp_path).kept().finished)
    with Run(tmp_path, 300, 2) as run:
        following = run.end()

    assert code == 128 + number
    assert text == (
        f"stopped: {done} of 303 items are analysed and kept; call the same command again to go "
        "on\n"
    )
    assert following == (0, "")
    assert set(decoded(tmp_path).values()) == {1}


def test_ctrl_c_does_not_reach_a_worker_that_still_starts() -> None:
    script = (
        "from pathlib import Path; from agent.pool.engines.crew import WorkerProcess\n"
        "worker = WorkerProcess('local-0', None, None)\n"
        "print(Path(f'/proc/{worker.process.pid}/status').read_text()); worker.end()"
    )
    status = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    blocked = int(status.split("SigBlk:")[1].split()[0], 16)
    for number in (signal.SIGINT, signal.SIGTERM):
        assert blocked & 1 << (number - 1)


def test_recordings_come_first_and_crashed_ones_last() -> None:
    items = items_of(["/i/1", "/r/1", "/i/2", "/i/3", "/r/2"])
    queue = TaskQueue(items, Kept(frozenset({"/i/2"}), {"/r/2": 7}, 1, 0))

    taken = [queue.take(9, recordings=True) for _ in range(2)]
    images = queue.take(1, recordings=False)
    queue.put_back(images)
    queue.put_last(taken[0][0])

    assert taken == [[Task(items[1])], [Task(items[4], 7)]]
    assert images == [Task(items[0])]
    assert queue.take_last() is None
    assert queue.take(9, recordings=True) == [Task(items[0]), Task(items[3])]
    assert queue.take_last() == Task(items[1])
    assert len(queue) == 0


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "no number"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    ],
)
def test_the_limit_of_a_container_counts(
    tmp_path: Path, files: dict[str, str], cores: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert usable_cores(tmp_path) == (cores or len(os.sched_getaffinity(0)))
