"""The systemd unit: what systemd itself says of it, offline."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.runtime.supervisor import STOP_S, ExitCode
from tests import ROOT
from tests.limits import LIMIT_S

SYSTEMD = ROOT / "systemd"
UNIT = SYSTEMD / "capture-agent.service"
DROP_INS = sorted((SYSTEMD / "drop-ins").glob("*.conf"))


@pytest.fixture(scope="module")
def analyze() -> str:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        reason = "needs systemd-analyze from the package systemd"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return tool


def unit_in(folder: Path, *drop_ins: Path) -> Path:
    """The unit with a program that exists here, and drop-ins beside it."""
    unit = folder / UNIT.name
    text = UNIT.read_text("utf-8")
    unit.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text), "utf-8")
    beside = folder / f"{UNIT.name}.d"
    beside.mkdir()
    for drop_in in drop_ins:
        shutil.copy(drop_in, beside)
    return unit


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)


def test_systemd_finds_nothing_to_complain_of(analyze: str, tmp_path: Path) -> None:
    result = run(analyze, "verify", "--man=no", str(unit_in(tmp_path)))

    assert (result.returncode, result.stdout + result.stderr) == (0, "")


@pytest.mark.parametrize("drop_in", DROP_INS, ids=lambda path: path.stem)
def test_each_drop_in_is_understood(analyze: str, tmp_path: Path, drop_in: Path) -> None:
    result = run(analyze, "verify", "--man=no", str(unit_in(tmp_path, drop_in)))

    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_the_exposure_is_at_most_2(analyze: str, tmp_path: Path) -> None:
    result = run(analyze, "security", "--offline=yes", "--no-pager", str(unit_in(tmp_path)))

    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", result.stdout)
    assert level is not None, result.stdout + result.stderr
    assert float(level[1]) <= 2.0


def test_a_spoilt_unit_would_be_noticed(analyze: str, tmp_path: Path) -> None:
    """The checks above can fail: a misspelt key is reported, a bare unit is exposed."""
    unit = unit_in(tmp_path)
    unit.write_text(unit.read_text("utf-8").replace("WatchdogSec", "WatchdogSecs"), "utf-8")

    assert "WatchdogSecs" in run(analyze, "verify", "--man=no", str(unit)).stderr


def settings_of(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_the_unit_keeps_the_promises_of_a_device_in_the_field() -> None:
    keys = settings_of(UNIT.read_text("utf-8"))

    assert keys["Type"] == ["notify"]
    assert keys["Restart"] == ["always"]
    assert keys["StartLimitIntervalSec"] == ["0"]
    assert keys["RestartPreventExitStatus"] == [str(int(ExitCode.CONFIGURATION))]
    assert keys["StateDirectoryMode"] == ["0700"]
    assert keys["RuntimeDirectory"] == ["capture-agent"]
    assert keys["RuntimeDirectoryMode"] == ["0710"]  # the group reaches api.sock, and lists nothing
    assert keys["UMask"] == ["0077"]
    assert keys["LoadCredential"] == [
        f"{name}:/etc/capture-agent/{name}" for name in ("upload_token", "api_token")
    ]
    assert keys["EnvironmentFile"] == ["/etc/capture-agent/capture-agent.env"]
    assert keys["After"] == ["network.target"]  # both others may wait for a network for ever
    assert keys["LimitCORE"] == ["0"]
    assert {"MemoryMax", "TasksMax"} <= set(keys)
    assert keys["OOMPolicy"] == ["continue"]  # for the programs of exec: cameras
    assert {"DynamicUser", "ConditionPathExists", "PrivateDevices"}.isdisjoint(keys)


def test_a_reload_asks_nothing_of_a_small_system_but_its_shell() -> None:
    """A minimal Debian has no /bin/kill."""
    keys = settings_of(UNIT.read_text("utf-8"))

    assert keys["ExecReload"] == ['/bin/sh -c "kill -HUP ${MAINPID}"']


def test_the_agent_stops_sooner_than_systemd_kills_it() -> None:
    keys = settings_of(UNIT.read_text("utf-8"))

    assert float(keys["TimeoutStopSec"][0].removesuffix("s")) > STOP_S
