"""What `pip install` puts on a computer has all that the agent reads beside its code."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from debian import agent_wheel

from tests import ROOT
from tests.end_to_end.command import environment, until
from tests.fakes.api import ApiClient

PAGE = ("/", "/page/live.js", "/page/base.css", "/page/live.css", "/page/icon.svg")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of the wheel, far from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(agent_wheel(folder)) as wheel:
        wheel.extractall(folder / "there")
    return folder / "there"


def test_each_file_of_the_agents_folder_is_in_the_wheel(unpacked: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "agent"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert [path for path in listed.stdout.split() if not (unpacked / path).is_file()] == []


def test_a_daemon_of_the_wheel_serves_the_live_page(unpacked: Path, tmp_path: Path) -> None:
    settings = environment(
        tmp_path, {"AGENT_CAMERAS": "line=push:", "AGENT_API": f"unix:{tmp_path}/api.sock"}
    )
    client = ApiClient(path=tmp_path / "api.sock")
    script = "import agent; print(agent.__file__, flush=True); import agent.__main__"
    with subprocess.Popen(
        [sys.executable, "-P", "-c", script, "run"],
        env=settings | {"PYTHONPATH": str(unpacked)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(str(unpacked))
            until(client.is_served)
            responses = {path: client.get(path) for path in PAGE}
        finally:
            process.terminate()

    assert {path: each.status for path, each in responses.items()} == dict.fromkeys(PAGE, 200)
    for path in PAGE[1:]:
        room = "web" if path.endswith("base.css") else "api"
        assert responses[path].body == (ROOT / f"agent/{room}{path}").read_bytes()
