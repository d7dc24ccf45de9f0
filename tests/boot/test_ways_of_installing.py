"""The ways onto a machine without a network: the package, an environment in /opt, pipx."""

import shutil
import sys
from pathlib import Path

import pytest
from debian import run

from tests.boot.device import SETTINGS, STATE, UNIT, Device
from tests.boot.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

WHEELS = "/srv/wheels"
OFFLINE = (f"PIP_FIND_LINKS={WHEELS}", "PIP_NO_INDEX=1", "PIP_NO_COMPILE=1")
TOKEN = "/etc/capture-agent/upload_token"


@pytest.fixture(scope="module")
def bare(machine: Machine, wheels: Path) -> Device:
    """A machine with a folder of wheels and no agent."""
    shutil.copytree(wheels, machine.path(WHEELS))
    into = ("--dest", str(machine.path(WHEELS)))  # pipx brings its tools up to date
    run(sys.executable, "-m", "pip", "download", "--quiet", *into, "pip", "setuptools", "wheel")
    return Device(machine)


def starts(device: Device, executable: str) -> None:
    """The unit names this program, and systemd can start it: it complains of its settings."""
    said = device.run("systemctl", "show", UNIT, "--property=ExecStart")
    assert f"path={executable} ;" in said
    device.configure(AGENT_FPS="fast")
    device.run("systemctl", "start", UNIT, fails=True)
    assert device.facts("ExecMainStatus") == ["78"]


def test_an_environment_in_opt_that_the_service_may_read(bare: Device) -> None:
    install = f"{' '.join(OFFLINE)} /opt/agent/bin/pip install -q edge-capture-agent"
    bare.run("sh", "-c", f"umask 077; python3 -m venv /opt/agent && {install}")
    said = bare.run("/opt/agent/bin/capture-agent", "install", fails=True)
    assert "may not read /opt/agent" in said
    assert not bare.path(SETTINGS).exists()

    bare.run("chmod", "-R", "go+rX", "/opt/agent")
    bare.run("/opt/agent/bin/capture-agent", "install")

    starts(bare, "/opt/agent/bin/capture-agent")
    bare.run("/opt/agent/bin/capture-agent", "uninstall", "--purge")
    assert bare.facts("LoadState") == ["not-found"]
    bare.run("rm", "-r", "/opt/agent")


def test_pipx_serves_in_opt_and_is_refused_in_the_home_of_root(bare: Device) -> None:
    places = ("PIPX_HOME=/opt/pipx", "PIPX_BIN_DIR=/usr/local/bin")
    bare.run("env", *OFFLINE, *places, "pipx", "install", "edge-capture-agent")
    bare.run("/usr/local/bin/capture-agent", "install")
    starts(bare, "/opt/pipx/venvs/edge-capture-agent/bin/capture-agent")
    bare.run("/usr/local/bin/capture-agent", "uninstall", "--purge")

    bare.run("env", *OFFLINE, "pipx", "install", "edge-capture-agent")  # where it does by itself
    said = bare.run("/root/.local/bin/capture-agent", "install", fails=True)

    assert "services do not see home" in said
    assert "PIPX_HOME=/opt/pipx" in said
    assert not bare.path(SETTINGS).exists()
    bare.run("rm", "-r", "/opt/pipx", "/usr/local/bin/capture-agent", "/root/.local")


def test_the_package_is_updated_removed_and_purged(bare: Device, package: Path) -> None:
    device = bare
    device.put_in(package)
    bare.run("mkdir", "/opt/capture-agent")
    said = device.run("dpkg", "--install", "/root/capture-agent.deb", fails=True)
    assert "mv /opt/capture-agent" in said  # somebody's own is not overwritten
    device.run("rmdir", "/opt/capture-agent")

    device.install()
    device.begin()
    device.path(TOKEN).write_text("a-secret", "utf-8")
    device.start()
    written = device.path(SETTINGS).read_text("utf-8")
    before = device.main_process()

    device.install()  # over itself, while it runs

    device.wait_for_another(before)
    assert device.path(SETTINGS).read_text("utf-8") == written
    assert device.path(TOKEN).read_text("utf-8") == "a-secret"
    assert device.path(TOKEN).stat().st_mode & 0o777 == 0o600
    assert device.run("dpkg", "--verify", "capture-agent") == ""

    device.run("dpkg", "--remove", "capture-agent")

    assert device.facts("LoadState", "ActiveState") == ["not-found", "inactive"]
    assert not device.path("/opt/capture-agent").exists()
    assert device.path(SETTINGS).read_text("utf-8") == written
    assert device.path(STATE).joinpath("spool/cache/cache.db").exists()

    device.run("dpkg", "--purge", "capture-agent")

    where = ("/etc", "/usr", "/var/lib", "/opt", "/run")
    present = [folder for folder in where if device.path(folder).exists()]
    assert device.run("find", *present, "-name", "*capture-agent*") == ""
    for accounts in ("/etc/passwd", "/etc/group"):
        assert "capture-agent" not in device.path(accounts).read_text("utf-8")
