"""Another command in the service's place: what is taken over from its unit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli import as_service
from agent.cli.as_service import hint, transient
from agent.errors import ConfigurationError
from tests import ROOT

COMMAND = Path(sys.executable).with_name("capture-agent")
UNIT = (ROOT / "systemd/capture-agent.service").read_text("utf-8")
OVERRIDE = """
# /etc/systemd/system/capture-agent.service.d/override.conf
[Service]
ReadWritePaths=/media \\
  /mnt
"""


def test_user_settings_token_and_sandbox_are_the_services_and_the_rest_is_not() -> None:
    words = transient(UNIT + OVERRIDE, ["status", "--json"], terminal=False)

    assert words[:5] == ["systemd-run", "--quiet", "--wait", "--collect", "--pipe"]
    assert words[-3:] == ["/opt/capture-agent/bin/capture-agent", "status", "--json"]
    taken = {word.removeprefix("--property=") for word in words[5:-3]}
    assert {
        "User=capture-agent",
        "EnvironmentFile=/etc/capture-agent/capture-agent.env",
        "LoadCredential=upload_token:/etc/capture-agent/upload_token",
        "StateDirectory=capture-agent",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "DeviceAllow=char-video4linux rw",
        "ReadWritePaths=/media    /mnt",
    } <= taken
    daemons = {"Type", "ExecStart", "ExecReload", "Restart", "WatchdogSec", "TimeoutStopSec"}
    assert daemons.isdisjoint({each.partition("=")[0] for each in taken})
    assert not [each for each in taken if each.startswith(("After", "WantedBy", "Description"))]


def test_a_command_may_ask_the_daemon_and_its_end_removes_nothing() -> None:
    """The folder of state and answers is writable in the sandbox, and stays when the unit ends."""
    words = transient(UNIT, ["look"], terminal=False)

    assert "--property=RuntimeDirectory=capture-agent" in words
    assert "--property=RuntimeDirectoryPreserve=yes" in words


def test_the_order_of_a_list_that_is_taken_away_from_is_kept() -> None:
    words = transient(UNIT, ["check"], terminal=True)

    filters = [word.split("=", 2)[2] for word in words if "SystemCallFilter=" in word]
    assert filters == ["@system-service", "~@privileged @resources", "adjtimex clock_adjtime"]
    assert "--pty" in words


def test_a_folder_may_be_written_into_if_it_is_named() -> None:
    words = transient(UNIT, ["export"], writable=["/media/my stick"], terminal=False)

    assert '--property=ReadWritePaths="/media/my stick"' in words


def test_a_folder_that_the_sandbox_hides_cannot_be_written_into() -> None:
    words = ["as-service", "--writable", "/root", "export", "/root/out"]
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True, check=False)

    assert done.returncode == 78
    assert "--writable: the service's sandbox hides /root" in done.stderr


@pytest.mark.parametrize(
    ("unit", "program"),
    [
        ("[Service]\nExecStart=/old run\n[Service]\nExecStart=\nExecStart=/new run\n", "/new"),
        ('[Service]\nExecStart="/opt/my agent/capture-agent" run\n', "/opt/my agent/capture-agent"),
        ("[Service]\nExecStart=/opt/100%%/capture-agent run\n", "/opt/100%/capture-agent"),
    ],
)
def test_the_program_is_the_one_that_the_service_starts(unit: str, program: str) -> None:
    assert transient(unit, ["check"], terminal=False)[-2:] == [program, "check"]


def test_a_unit_that_starts_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="starts nothing"):
        transient("[Unit]\nExecStart=/not/here\n", ["check"], terminal=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as this message")
def test_without_an_installed_service_a_word_says_so() -> None:
    where = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = subprocess.run(
        [COMMAND, "as-service", "check"], capture_output=True, text=True, check=False, env=where
    )

    assert done.returncode == 78
    assert "cannot run as the service" in done.stderr


@pytest.mark.parametrize(
    ("installed", "told", "says"),
    [
        (True, {}, "sudo capture-agent as-service status looks at it"),
        (True, {"AGENT_FPS": "1"}, None),  # a terminal with settings of its own
        (True, {"STATE_DIRECTORY": "/var/lib/capture-agent"}, None),  # the service itself
        (False, {}, None),
    ],
)
def test_who_looks_at_nothing_beside_a_service_is_told_how_to_look_at_it(
    installed: bool,
    told: dict[str, str],
    says: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.startswith("AGENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    env_file = tmp_path / "capture-agent.env"
    if installed:
        env_file.touch()
    monkeypatch.setattr(as_service, "ENV_FILE", str(env_file))

    said = hint("status")

    assert said is None if says is None else says in (said or "")
