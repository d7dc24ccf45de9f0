"""The engine on Ray, with real processes: nothing is lost or doubled, whatever is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.engine import AnalysisProgress
from agent.pool.engines.local import LocalEngine
from agent.pool.engines.ray import RayEngine
from agent.pool.items import ItemKind, PoolItem
from agent.pool.rows import PoolRow
from agent.pool.store.local_place import LocalPlace
from agent.pool.store.order import RowOrder
from agent.pool.store.store import PartStore
from tests.end_to_end.command import until
from tests.fakes.ray_cluster import PATIENT, RayCluster, ray_cluster
from tests.limits import LIMIT_S
from tests.pool.counting_analyser import FRAMES, CountingAnalyser

pytestmark = pytest.mark.slow  # Ray takes seconds to start


def open_store(out: Path) -> PartStore:
    place = LocalPlace(out)
    place.prepare()
    return PartStore(place)


def images(*names: str) -> list[PoolItem]:
    return [PoolItem(f"/pool/{name}.jpg", ItemKind.IMAGE, "pool") for name in names]


def many(count: int) -> list[PoolItem]:
    return images(*(f"{number:04}" for number in range(count)))


@dataclass
class Run:
    """An analysis in a folder, and what is told of it."""

    folder: Path
    seconds: float = 0.002
    told: list[AnalysisProgress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.notes.touch()

    @property
    def notes(self) -> Path:
        return self.folder / "notes"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def run(self, engine: RayEngine | LocalEngine, items: Sequence[PoolItem]) -> None:
        engine.run(
            items,
            partial(CountingAnalyser, self.notes, self.seconds),
            partial(open_store, self.out),
            self.told.append,
        )

    def rows(self) -> list[PoolRow]:
        order = RowOrder(open_store(self.out))
        usable = [row.key for row in order.facts() if not row.problem]
        problems = [PoolRow(row.key, problem=row.problem) for row in order.facts() if row.problem]
        return sorted([*order.rows(usable), *problems], key=lambda row: row.key)

    def keys(self) -> list[str]:
        return [row.key for row in self.rows()]

    def decoded(self) -> list[str]:
        return self.notes.read_text().split()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PATIENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster() as running:
        running.add_node()
        yield running


def test_the_rows_are_those_of_the_local_engine(tmp_path: Path) -> None:
    """Among them are items that kill their process, end it each time, or show a bug."""
    items = [
        *many(60),
        *images("unreadable", "bug", "killed"),
        PoolItem("/pool/a.mp4", ItemKind.RECORDING, "a.mp4"),
    ]
    local, ray = Run(tmp_path / "local"), Run(tmp_path / "ray")
    for each, engine in ((local, LocalEngine(2)), (ray, RayEngine(workers=2))):
        each.run(engine, items)

    assert ray.rows() == local.rows()
    assert len(ray.rows()) == 63 + FRAMES
    assert ray.told[-1].done == ray.told[-1].total == 64
    assert ray.told[-1].images == 63 + FRAMES


def test_an_item_that_ends_its_process_each_time_is_named_and_the_others_go_on(run: Run) -> None:
    items = [*many(40), *images("segfault")]

    run.run(RayEngine(workers=2), items)

    assert run.keys() == sorted(item.key for item in items)
    assert [row.problem for row in run.rows() if row.problem] == [
        "the model or decoder crashed on it (its process ended each time)"
    ]
    assert (run.told[-1].done, run.told[-1].unreadable) == (41, 1)


def test_a_killed_worker_loses_and_doubles_nothing(run: Run) -> None:
    run.seconds = 0.01
    items = [*many(400), *images("held")]
    engine = RayEngine(workers=2)
    killing = threading.Thread(target=kill_a_worker, args=(run.notes, 60))
    killing.start()

    run.run(engine, items)

    killing.join()
    assert run.keys() == [item.key for item in items]
    again = [key for key in set(run.decoded()) if run.decoded().count(key) > 1]
    assert len(again) <= 1  # the one that it was at


def kill_a_worker(notes: Path, after: int) -> None:
    """Kill the process that analyses once some images are decoded."""
    while len(notes.read_text().split()) < after:
        time.sleep(0.02)
    try:
        os.kill(workers(notes)[0], signal.SIGKILL)
    finally:
        notes.with_name("go").touch()


def workers(notes: Path) -> list[int]:
    """Return the other processes that analyse."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_worker = any(file.resolve() == notes for file in (folder / "fd").iterdir())
        except OSError:
            continue
        if is_worker and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def test_a_ray_that_is_lost_is_no_bug_and_the_next_run_goes_on(run: Run) -> None:
    run.seconds = 0.01
    before = left_folders()
    killing = threading.Thread(target=kill_the_raylet, args=(run.notes, 60))
    killing.start()

    with pytest.raises(TemporaryError, match="is kept, call the same command again"):
        run.run(RayEngine(workers=1), many(4000))

    killing.join()
    assert left_folders() <= before
    run.run(LocalEngine(1), many(100))
    assert set(run.keys()) >= {item.key for item in many(100)}


def left_folders() -> set[Path]:
    """Return the folders of drivers that are gone."""
    place = Path(os.environ.get("RAY_TMPDIR", "/tmp"))
    return {
        each
        for each in place.glob("ray-*-*")
        if not Path(f"/proc/{each.name.split('-')[1]}").exists()
    }


def kill_the_raylet(notes: Path, after: int) -> None:
    """Kill the main process of the Ray that an engine of this process has started."""
    while len(notes.read_text().split()) < after:
        time.sleep(0.02)
    [raylet] = [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if name_and_parent(folder)[0] == "raylet"
        and name_and_parent(folder.parent / name_and_parent(folder)[1])[1] == str(os.getpid())
    ]
    os.kill(raylet, signal.SIGKILL)


def name_and_parent(process: Path) -> tuple[str, str]:
    try:
        stat = (process / "stat").read_text()
    except OSError:
        return "", ""
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return name, rest.split()[1]


def test_rows_and_images_do_not_pass_through_the_driver(run: Run) -> None:
    """Each row has a record of 400 bytes; what comes back does not depend on that."""
    engine = RayEngine(workers=1)

    run.run(engine, many(256))

    messages = 256 / 16
    assert 0 < engine.returned < 100 * messages


def test_a_second_run_analyses_nothing_again(run: Run) -> None:
    run.run(RayEngine(workers=1), many(20))
    run.run(RayEngine(workers=1), many(20))

    assert len(run.decoded()) == 20
    assert run.told[-1] == AnalysisProgress(20, 20, 20, 0)


@pytest.mark.parametrize(
    ("name", "kind"), [("denied", ConfigurationError), ("slow bucket", TemporaryError)]
)
def test_what_is_no_fault_of_an_item_ends_the_run(
    run: Run, name: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="cannot read it"):
        run.run(RayEngine(workers=1), images("a", name))

    assert run.keys() == ["/pool/a.jpg"]


INTERRUPTED = """
import sys
from pathlib import Path
from agent.pool.engine import AnalysisStopped
from tests.pool.engines.test_ray_engine import *
run = Run(Path(sys.argv[1]), seconds=0.05)
try:
    run.run(RayEngine(workers=1), many(2000))
except AnalysisStopped as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_ctrl_c_ends_all_processes_and_keeps_what_was_analysed(run: Run) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(run.folder)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        while len(run.decoded()) < 20:
            assert command.poll() is None
            time.sleep(0.05)
        os.killpg(command.pid, signal.SIGINT)
        said, _ = command.communicate(timeout=LIMIT_S)

    assert command.returncode == 130
    assert "call the same command again" in said
    until(lambda: not workers(run.notes))
    decoded = len(run.decoded())
    assert decoded - 1 <= len(run.keys()) <= decoded


@pytest.mark.parametrize(
    ("address", "kind", "message"),
    [
        ("127.0.0.1:1", TemporaryError, "ray start --head"),
        ("no-such-host.invalid:6379", ConfigurationError, "no such host"),
        ("ray://10.0.0.1:10001", ConfigurationError, "must be HOST:PORT"),
        ("10.0.0.1", ConfigurationError, "must be HOST:PORT"),
    ],
)
def test_a_wrong_address_is_named(
    run: Run, address: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as raised:
        run.run(RayEngine(address=address), many(1))

    assert address in str(raised.value)


def test_a_cluster_of_two_nodes_does_the_same(run: Run, cluster: RayCluster) -> None:
    ready: list[tuple[int, int]] = []

    run.run(
        RayEngine(
            address=cluster.address, out=str(run.out), on_ready=lambda *each: ready.append(each)
        ),
        many(100),
    )

    assert ready == [(2, 2)]
    assert run.keys() == [item.key for item in many(100)]


def test_a_node_with_another_version_is_refused(
    run: Run, cluster: RayCluster, tmp_path: Path
) -> None:
    (tmp_path / "old" / "agent").mkdir(parents=True)
    (tmp_path / "old" / "agent" / "__init__.py").write_text("__version__ = '0.0.9'")
    cluster.add_node(str(tmp_path / "old"))
    try:
        with pytest.raises(
            ConfigurationError, match=r"has capture-agent 0\.0\.9, this command has"
        ) as raised:
            run.run(RayEngine(address=cluster.address, out=str(run.out)), many(4))
    finally:
        cluster.remove_node()

    assert "pip install 'edge-capture-agent[pool]==" in str(raised.value)
    assert not run.decoded()


BLIND = """
import os
stat = os.stat
def blind(path, **options):
    if str(path).startswith({folder!r}):
        raise FileNotFoundError(2, 'no such file', path)
    return stat(path, **options)
os.stat = blind
"""


def test_a_node_that_does_not_see_the_files_is_refused(
    run: Run, cluster: RayCluster, tmp_path: Path
) -> None:
    image = tmp_path / "images" / "a.jpg"
    image.parent.mkdir()
    image.write_bytes(b"image")
    items = [PoolItem(str(image), ItemKind.IMAGE, "images")]
    blind = tmp_path / "blind"
    blind.mkdir()
    (blind / "sitecustomize.py").write_text(BLIND.format(folder=str(tmp_path)))
    cluster.add_node(str(blind))
    try:
        with pytest.raises(ConfigurationError, match="cannot see the output folder") as raised:
            run.run(RayEngine(address=cluster.address, out=str(run.out)), items)
    finally:
        cluster.remove_node()

    assert f"cannot read {image} as it is here" in str(raised.value)
    assert not list((run.out / ".pool").glob("seen-*"))
