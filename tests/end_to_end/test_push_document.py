"""The programs and commands of docs/push.md, run as they stand there beside a real daemon."""

import ast
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import ROOT
from tests.camera.push.pushed import image_file, one_pill, predictions_of
from tests.docs.pages import blocks
from tests.docs.reader import short_clip
from tests.end_to_end.command import Daemon, camera_states, until
from tests.end_to_end.endpoint import LocalEndpoint
from tests.limits import LIMIT_S
from tests.ports import free_port
from tests.spool.small_file_system import skip_or_fail

PAGE = ROOT / "docs" / "push.md"
SOCKET = "/run/capture-agent/api.sock"
PROGRAMS = {
    block.mark.removeprefix("file: "): block.text
    for block in blocks(PAGE)
    if block.mark.startswith("file: ")
}
CURL = [
    line
    for block in blocks(PAGE)
    if block.language == "sh"
    for line in block.text.splitlines()
    if line.startswith("curl")
]


def settings_for(api: str, **more: object) -> dict[str, object]:
    return {
        "AGENT_CAMERAS": "line=push:?task=detect",
        "AGENT_API": api,
        "AGENT_FPS": "0",
        "AGENT_EVERY_NTH_FRAME": "1",
        **more,
    }


@contextlib.contextmanager
def running(folder: Path, settings: dict[str, object]) -> Iterator[Daemon]:
    """Run a daemon whose API answers."""
    with Daemon(folder, **settings) as daemon:
        daemon.wait_for("api started")
        yield daemon


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder with the programs of the page, an image and predictions."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text + "\n", "utf-8")
    (tmp_path / "frame.jpg").write_bytes(image_file(width=1280, height=720))
    found = predictions_of(one_pill(), labels=["pill"])
    (tmp_path / "predictions.json").write_bytes(found)
    return tmp_path


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_the_client_is_short_and_needs_nothing_that_must_be_installed() -> None:
    text = PROGRAMS["push_client.py"]
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for alias in node.names
    }

    assert len(text.splitlines()) <= 60
    assert imported <= sys.stdlib_module_names
    assert len(CURL) == 3


def test_the_client_and_curl_push_over_the_unix_socket(programs: Path) -> None:
    if shutil.which("curl") is None:
        skip_or_fail("needs curl")
    path = programs / "api.sock"
    settings = settings_for(f"unix:{path}")
    with running(programs, settings) as daemon:
        client = run(
            programs,
            sys.executable,
            "push_client.py",
            f"unix:{path}",
            "line",
            "frame.jpg",
            "predictions.json",
        )
        alone, with_predictions = (
            run(programs, "bash", "-c", line.replace(SOCKET, str(path))) for line in CURL[:2]
        )
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0

    assert client.stdout == "{'camera': 'line', 'accepted': True, 'sequence': 0}\n", client.stderr
    assert "this camera expects predictions of the task detect" in json.loads(alone.stdout)["error"]
    taken = json.loads(with_predictions.stdout)
    assert taken == {"camera": "line", "accepted": True, "sequence": 1}
    counted = ("frames_analysed", "frames_dropped")  # the stop may come before the last one
    assert sum(each[name] for each in daemon.events("summary") for name in counted) == 2
    assert daemon.stored()


@pytest.mark.slow
def test_the_client_and_curl_push_over_tcp_with_the_token(programs: Path) -> None:
    port = free_port()
    (programs / "api_token").write_text("a-long-token-of-the-api\n")
    (programs / "api_token").chmod(0o600)
    settings = settings_for(f"127.0.0.1:{port}", CREDENTIALS_DIRECTORY=programs)
    client = (sys.executable, "push_client.py", f"127.0.0.1:{port}", "line", "frame.jpg")
    line = CURL[2].replace("127.0.0.1:8787", f"127.0.0.1:{port}")
    with running(programs, settings):
        refused = run(programs, *client, "predictions.json", API_TOKEN="another")
        taken = run(programs, *client, "predictions.json", API_TOKEN="a-long-token-of-the-api")
        curl = run(programs, "bash", "-c", line)

    assert "401: cannot answer: the token is wrong" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1  # no traceback
    assert "'accepted': True" in taken.stdout, taken.stderr
    assert "a token is needed" in json.loads(curl.stdout)["error"]
    with running(programs, settings_for(f"127.0.0.1:{port}")):
        curl = run(programs, "bash", "-c", line)
    assert json.loads(curl.stdout)["accepted"], curl.stderr


@pytest.mark.slow
def test_the_client_goes_on_when_the_agent_was_restarted(programs: Path) -> None:
    path = programs / "api.sock"
    settings = settings_for(f"unix:{path}")
    (programs / "twice.py").write_text(
        "from push_client import Agent\n"
        f"agent = Agent('unix:{path}')\n"
        "for _ in range(2):\n"
        "    image = open('frame.jpg', 'rb').read()\n"
        "    answer = agent.push('line', image, {'model': {'name': 'm'}, 'detections': []})\n"
        "    print(answer['sequence'], flush=True)\n"
        "    input()\n"
    )
    with contextlib.ExitStack() as stack:
        with running(programs, settings) as daemon:
            application = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "twice.py"],
                    cwd=programs,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            assert application.stdout is not None
            first = application.stdout.readline()
            daemon.signal(signal.SIGTERM)
            assert daemon.ends() == 0
        with running(programs, settings):
            second, _ = application.communicate("\n\n", timeout=LIMIT_S)

    assert (first, second) == ("0\n", "0\n")


@pytest.mark.slow
def test_the_application_pushes_its_frames_and_the_captures_arrive(
    programs: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    path = programs / "api.sock"
    short_clip(programs / "camera.mp4")
    receiver = endpoint()
    settings = settings_for(f"unix:{path}", AGENT_UPLOAD_URL=receiver.url)
    with running(programs, settings) as daemon:
        done = run(programs, sys.executable, "counter.py", "camera.mp4", f"unix:{path}")
        assert (done.returncode, done.stderr) == (0, "")
        daemon.wait_for("capture delivered", 3)
        until(lambda: camera_states(programs) == ["live"], what=daemon.describe)
        daemon.signal(signal.SIGTERM)
        assert daemon.ends() == 0
        until(lambda: daemon.events("agent stopped"))
    receiver.stop()

    assert done.stdout.splitlines()[0] == "1 pills"
    record = next(iter(receiver.records.values()))
    assert record["model"]["name"] == "pill-counter-7"
    assert record["model"]["provider"] == "application"
    assert record["image"]["encoded_by"] == "camera"
    assert record["detections"][0]["label"] == "pill"
    assert not daemon.events("model loaded")
    assert re.search(r'"frames_dropped": \d+', daemon.text)
