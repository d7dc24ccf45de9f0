"""Engines do not fill the card, and hardware that comes late is waited for."""

import os
from pathlib import Path

import pytest

from agent.detector.engines import prune_engines
from agent.detector.providers import lacks_device
from agent.errors import ConfigurationError, TemporaryError
from agent.factories.running_model import when_ready
from tests.fakes.log import Recorder


def engine(folder: Path, name: str, *, built: int, size: int = 100) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(bytes(size))
    os.utime(folder / name, (built, built))


def test_the_engines_that_were_built_first_go(tmp_path: Path) -> None:
    folder = tmp_path / "engines"
    for number in range(5):
        engine(folder, f"{number}.engine", built=number)

    assert prune_engines(folder, 250) == ["0.engine", "1.engine", "2.engine"]
    assert prune_engines(folder, 250) == []


def test_nothing_but_files_of_the_folder_is_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "engines"
    engine(folder, "old.engine", built=1)
    engine(tmp_path, "outside", built=0)
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "deeper").mkdir()

    assert prune_engines(folder, 0) == ["old.engine"]
    assert (tmp_path / "outside").exists()
    assert prune_engines(tmp_path / "missing", 0) == []


@pytest.mark.parametrize(
    ("name", "files", "lacks"),
    [
        ("CUDAExecutionProvider", [], True),
        ("CUDAExecutionProvider", ["nvidiactl"], True),
        ("CUDAExecutionProvider", ["nvidia0"], True),
        ("CUDAExecutionProvider", ["nvidia0", "nvidia-uvm"], False),
        ("TensorrtExecutionProvider", ["nvhost-gpu"], False),
        ("OpenVINOExecutionProvider", ["dri/card0"], True),
        ("OpenVINOExecutionProvider", ["dri/renderD128"], False),
        ("CPUExecutionProvider", [], False),
    ],
)
def test_hardware_without_a_device_file_may_come_later(
    name: str, files: list[str], lacks: bool, tmp_path: Path
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()

    assert lacks_device(name, tmp_path) == lacks


def test_the_start_waits_for_the_hardware_of_a_named_provider() -> None:
    log, waits = Recorder(), list[float]()

    def load() -> str:
        if len(waits) < 5:
            raise TemporaryError("no device file")
        return "model"

    assert when_ready(load, log=log.log, pause=waits.append) == "model"
    assert waits == [5.0, 10.0, 20.0, 60.0, 60.0]
    assert log.events == ["provider unavailable"] * 5


def test_what_a_person_must_change_is_not_waited_for() -> None:
    def load() -> str:
        raise ConfigurationError("no such provider")

    with pytest.raises(ConfigurationError):
        when_ready(load, log=Recorder().log, pause=lambda _: pytest.fail("waited"))
