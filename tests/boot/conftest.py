"""One machine for each file: made, booted with the package on it, and put away at the end."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian import Build, agent_wheel, build_package, download, run

from tests.boot.debian_root import python_here, unpacked
from tests.boot.device import Device
from tests.boot.machine import Machine

CACHE = Path(tempfile.gettempdir()) / "capture-agent-boot"
"""Holds the Debian root between runs, and the logs of the last one."""

TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "dpkg-deb": "dpkg",
    "nsenter": "util-linux",
}


@pytest.fixture(scope="session")
def able() -> None:
    """What a laptop may lack; where all must hold, nothing may be left out."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if os.geteuid() != 0:
        missing.insert(0, "root")
    if missing:
        reason = f"booting a machine needs {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def machine(able: None, request: pytest.FixtureRequest) -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="capture-agent-root-") as folder:
        log = CACHE / f"{Path(str(request.path)).stem}.log"
        CACHE.mkdir(parents=True, exist_ok=True)
        for old in (log, log.with_suffix(".console")):
            old.unlink(missing_ok=True)
        machine = Machine(unpacked(CACHE, Path(folder) / "root"), log)
        try:
            machine.boot()
            yield machine
        finally:
            machine.lose_power()


@pytest.fixture(scope="session")
def build(able: None, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """For a machine like this one, with the Python of its Debian."""
    said = run("dpkg", "--print-architecture")
    return Build(
        wheel=agent_wheel(tmp_path_factory.mktemp("wheel")),
        architecture=said.strip(),
        python=python_here(),
        maintainer="Tests <root@localhost>",
        built_at=1_700_000_000,
    )


@pytest.fixture(scope="session")
def wheels(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the agent needs, for a machine that has no network."""
    folder = tmp_path_factory.mktemp("wheels")
    download(build, folder)
    return folder


@pytest.fixture(scope="session")
def package(build: Build, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_package(build, wheels, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def device(machine: Machine, package: Path) -> Device:
    """The package is installed, a camera and an endpoint are there; the service is not started."""
    device = Device(machine)
    device.put_in(package)
    device.install()
    device.begin()
    return device
