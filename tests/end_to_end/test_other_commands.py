"""Small commands, help, and what flush answers."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
import requests

from agent import __version__
from agent.errors import TargetBlocked
from agent.system import SystemClock
from agent.upload.targets.endpoint import EndpointTarget
from tests.end_to_end.command import (
    COMMAND,
    NEVER_ENDS,
    Daemon,
    call,
    clip,
    environment,
    long_recording,
    quick_model,
)
from tests.end_to_end.endpoint import LocalEndpoint
from tests.fakes.captures import stored_capture
from tests.in_process import call_here
from tests.limits import LIMIT_S
from tests.upload.hostile_server import HostileServer

COMMANDS = ["run", "flush", "check", "status", "export", "request", "demo", "receive", "env"]
FEW = {
    "AGENT_CAMERAS": f"street={clip()}",
    "AGENT_FPS": 2,
    "AGENT_MODEL": quick_model(),
    "AGENT_EVERY_NTH_FRAME": 1,
    "AGENT_MAX_SIDE": 64,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(tmp_path: Path, command: str) -> None:
    result = call_here(command, "--help", folder=tmp_path, environment=environment(tmp_path, {}))

    assert result.returncode == 0
    assert "Example:" in result.stdout
    assert f"capture-agent {command}" in " ".join(result.stdout.split())
    assert result.stderr == ""


def test_the_help_names_each_command(tmp_path: Path) -> None:
    result = call(tmp_path, "--help")

    for command in COMMANDS:
        assert f" {command} " in result.stdout


def test_the_version_is_one_line(tmp_path: Path) -> None:
    assert call(tmp_path, "--version").stdout == f"{__version__}\n"


def test_an_unknown_command_is_a_wrong_use(tmp_path: Path) -> None:
    result = call(tmp_path, "frobnicate")

    assert result.returncode == 2
    assert "frobnicate" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_env_file_is_accepted_as_it_is_printed(tmp_path: Path) -> None:
    text = call(tmp_path, "env").stdout
    lines = [
        line.lstrip("#") for line in text.splitlines() if line.lstrip("#").startswith("AGENT_")
    ]

    assert any(line.startswith("AGENT_CAMERAS=") for line in lines)
    assert len(lines) == len({line.partition("=")[0] for line in lines})


def test_a_pipe_that_closes_early_is_no_error(tmp_path: Path) -> None:
    result = subprocess.run(
        ["bash", "-c", f"'{COMMAND}' env | head -1; exit ${{PIPESTATUS[0]}}"],
        env=environment(tmp_path, {}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Traceback" not in result.stderr


def test_flush_says_what_is_missing(tmp_path: Path) -> None:
    result = call(tmp_path, "flush")

    assert result.returncode == 78
    assert result.stderr.startswith("capture-agent: AGENT_UPLOAD_URL: required")


def test_flush_with_nothing_to_do_is_done(tmp_path: Path) -> None:
    result = call(tmp_path, "flush", AGENT_UPLOAD_URL=f"dir:{tmp_path / 'dataset'}")

    assert result.returncode == 0, result.stderr
    assert result.stdout == "delivered 0, waiting 0, rejected 0\n"


@pytest.mark.slow
def test_flush_gives_up_on_a_receiver_that_is_down_and_delivers_when_it_is_back(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint(up=False)
    settings = {**FEW, "AGENT_CAMERAS": f"street={clip()} {NEVER_ENDS}"}
    with Daemon(tmp_path, **settings, AGENT_UPLOAD_URL=receiver.url) as daemon:
        daemon.wait_for("upload delayed")
        daemon.wait_for("capture stored", 3)
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0
        assert len(daemon.events("upload delayed")) == 1
        kept = len(daemon.stored())
    down = call(tmp_path, "flush", AGENT_UPLOAD_URL=receiver.url)

    assert down.returncode == 75
    assert down.stdout == f"delivered 0, waiting {kept}, rejected 0\n"
    [line] = down.stderr.splitlines()
    assert line.startswith(f"capture-agent: cannot deliver {kept} captures: cannot reach")
    assert "refuses connections" in line

    receiver.start()
    assert call(tmp_path, "flush", AGENT_UPLOAD_URL=receiver.url).returncode == 0
    assert len(receiver.records) == kept


def test_the_daemon_resumes_by_itself(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint(up=False)
    settings = {**FEW, "AGENT_CAMERAS": f"street={clip()} {NEVER_ENDS}"}
    with Daemon(tmp_path, **settings, AGENT_UPLOAD_URL=receiver.url) as daemon:
        daemon.wait_for("upload delayed")
        receiver.start()
        assert daemon.wait_for("upload resumed")["after_s"] >= 0  # the first retry may be at once
        delivered = daemon.wait_for("capture delivered")
    assert delivered["capture"] in receiver.records


def test_receive_takes_only_the_right_token_and_stops_on_a_signal(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("right-token\n", "utf-8")
    arguments = ["receive", "--dir", "dataset", "--port", "0", "--token-file", str(token)]
    with subprocess.Popen(
        [COMMAND, *arguments],
        env=environment(tmp_path, {}),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("receiving into dataset on http://127.0.0.1:")
            url = line.split()[-1]
            record = {"record": ("r.json", json.dumps({}), "application/json")}
            result = requests.post(url, files=record, timeout=60)
            assert result.status_code == 401
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dir", "dataset", "--token-file", "none"], ["--token-file none", "No such file"]),
        (["--dir", "dataset", "--token-file", "blank"], ["--token-file blank", "it is empty"]),
        (["--dir", "blank"], ["--dir blank", "Not a directory", "name a folder"]),
    ],
)
def test_receive_names_what_is_wrong(
    tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    (tmp_path / "blank").touch()
    result = call(tmp_path, "receive", *arguments)

    assert result.returncode == 78
    [line] = result.stderr.splitlines()
    for word in words:
        assert word in line


def test_receive_names_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = call(tmp_path, "receive", "--dir", "dataset", "--port", str(port))

    assert result.returncode == 78
    [line] = result.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert os.strerror(98) in line
    assert "--port" in line


def test_receive_prints_what_arrives_and_what_it_refuses(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret")
    made = stored_capture(1)
    with subprocess.Popen(
        [COMMAND, "receive", "--dir", "dataset", "--port", "0", "--token-file", str(token)],
        env=environment(tmp_path, {}),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            fleet = process.stdout.readline()
            assert fleet == f"the fleet is shown at {url.removesuffix('/captures')}/fleet\n"
            with target_of(url, "s3cret") as target, target_of(url, "wrong") as stranger:
                target.send(made)
                target.send(made)
                with pytest.raises(TargetBlocked):
                    stranger.send(made)
        finally:
            process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 0
    assert printed.splitlines() == [
        f"stored  test  gate  score  0 kB  {made.id}",
        f"repeat  test  gate  score  0 kB  {made.id}",
        "refused  127.0.0.1  401  the token is missing or wrong",
    ]


def target_of(url: str, token: str) -> EndpointTarget:
    return EndpointTarget(url, token=token, clock=SystemClock())


def test_no_response_of_the_endpoint_ends_the_capturing(tmp_path: Path) -> None:
    """A project whose labels are null, and numbers that no float can hold."""
    config = {
        "objects": {
            "type": "RectangleLabels",
            "to_name": ["photo"],
            "inputs": [{"type": "Image", "value": "image"}],
            "labels": None,
        }
    }
    body = json.dumps({"parsed_label_config": config, "tasks": [], "task_ids": [[]]})[:-1]
    responses = cycle(
        [
            f'HTTP/1.1 200 OK\r\n\r\n{body}, "total_predictions": 1e999}}',
            f'HTTP/1.1 200 OK\r\n\r\n{body}, "total_predictions": 0}}',
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset\r\n\r\n{}",
        ]
    )
    with HostileServer(lambda _request: [next(responses).encode()]) as server:
        url = f"label-studio+http://{server.host}/projects/7"
        settings = {"AGENT_UPLOAD_URL": url, "AGENT_UPLOAD_TOKEN": "0123456789abcdef"}
        camera = f"street={long_recording(tmp_path)}"
        with Daemon(tmp_path, **{**FEW, "AGENT_CAMERAS": camera}, **settings) as daemon:
            daemon.wait_for("upload blocked")
            daemon.wait_for("capture stored", len(daemon.events("capture stored")) + 3)
            daemon.signal(signal.SIGTERM)
            assert daemon.ends() == 0
        assert "Traceback" not in daemon.text
