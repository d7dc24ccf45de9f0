"""`check` before the first run: one line per part, with cause and fix."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.end_to_end.command import Daemon, call, clip, here, long_recording
from tests.end_to_end.endpoint import LocalEndpoint

CLIP = f"street={clip()}"


@pytest.fixture
def web_page() -> Iterator[str]:
    """A page that greets everybody, as a captive portal does."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def do_GET(self) -> None:
            body = b"<!doctype html><html><body>Welcome to our network</body></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_OPTIONS(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/captures"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_good_setup_passes_with_one_line_per_part(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint(token="right-token")
    settings = {
        "AGENT_CAMERAS": CLIP,
        "AGENT_UPLOAD_URL": receiver.url,
        "AGENT_UPLOAD_TOKEN": "right-token",
    }
    result = call(tmp_path, "check", **settings)

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", name] for name in ("settings", "model", "street", "spool", "endpoint")
    ]
    for line, word in zip(
        lines, ("understood", "ms a frame", "640x272", "free", "127"), strict=True
    ):
        assert word in line
    assert receiver.records == {}
    assert not (tmp_path / "spool").exists()

    facts = json.loads(call(tmp_path, "check", "--json", **settings).stdout)
    assert facts["ok"] is True
    assert [check["name"] for check in facts["checks"]] == [line.split()[1] for line in lines]


def test_one_marked_frame_goes_the_whole_way(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint()
    result = here(
        tmp_path,
        "check",
        "--upload-test",
        AGENT_CAMERAS=CLIP,
        AGENT_UPLOAD_URL=receiver.url,
        AGENT_CLIP="1s",
    )

    assert result.returncode == 0, result.stdout + result.stderr
    [(identity, record)] = receiver.records.items()
    assert record["lane"] == "requested"
    assert record["rules"] == [{"name": "upload_test", "score": 1.0}]
    assert record["camera"] == "street"
    assert len(record["clip"]["frames"]) == 1  # the endpoint must prove clips too
    assert identity in result.stdout.splitlines()[-2]
    assert "heartbeat  taken: " in result.stdout.splitlines()[-1]
    assert not (tmp_path / "spool").exists()


def test_a_secret_that_everybody_can_read_fails_with_its_fix(tmp_path: Path) -> None:
    token = tmp_path / "upload_token"
    token.write_text("a-secret", "utf-8")
    for mode, code in ((0o644, 78), (0o600, 0)):
        token.chmod(mode)
        result = here(tmp_path, "check", AGENT_CAMERAS=CLIP, CREDENTIALS_DIRECTORY=tmp_path)
        assert result.returncode == code, result.stdout
        assert (f"chmod o= {token}" in result.stdout) == (code == 78)
        assert "a-secret" not in result.stdout


@pytest.mark.parametrize(
    ("settings", "part", "words"),
    [
        ({"AGENT_FPS": "x"}, "settings", ["AGENT_FPS", "must be a number", "not x"]),
        ({"AGENT_MODEL": "/no.onnx"}, "model", ["/no.onnx", "No such file", "AGENT_MODEL"]),
        ({"AGENT_PROVIDERS": "CUDA"}, "model", ["AGENT_PROVIDERS", "CUDA", "CPUExecutionProvider"]),
        ({"AGENT_CAMERAS": "a=/dev/video63"}, "a", ["/dev/video63", "no such device", "cable"]),
        ({"AGENT_CAMERAS": "b=no.mp4"}, "b", ["no.mp4", "not found", "Check the path"]),
        ({"AGENT_SPOOL_DIR": "/etc/hostname"}, "spool", ["AGENT_SPOOL_DIR", "not a folder"]),
        ({"AGENT_SPOOL_MIN_FREE": "900TB"}, "spool", ["free", "AGENT_SPOOL_MIN_FREE", "lower"]),
        ({"AGENT_UPLOAD_URL": "http://127.0.0.1:9/x"}, "endpoint", ["127.0.0.1:9", "refuses"]),
        ({"AGENT_UPLOAD_URL": "ftp://x"}, "endpoint", ["AGENT_UPLOAD_URL", "https://", "ftp"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_broken_fails_alone_with_cause_and_fix(
    tmp_path: Path, settings: dict[str, str], part: str, words: list[str]
) -> None:
    result = here(tmp_path, "check", **{"AGENT_CAMERAS": CLIP, **settings})

    assert result.returncode == 78, result.stdout + result.stderr
    failed = [line for line in result.stdout.splitlines() if not line.startswith("ok ")]
    assert len(failed) == 1, result.stdout
    assert failed[0].split()[:2] == ["FAIL", part]
    for word in words:
        assert word in failed[0]
    assert result.stderr == ""


def test_a_wrong_token_fails_without_showing_it(
    tmp_path: Path, endpoint: Callable[..., LocalEndpoint]
) -> None:
    receiver = endpoint(token="right-token")
    result = here(
        tmp_path,
        "check",
        AGENT_CAMERAS=CLIP,
        AGENT_UPLOAD_URL=receiver.url,
        AGENT_UPLOAD_TOKEN="wrong-token",
    )

    assert result.returncode == 78
    assert "FAIL endpoint" in result.stdout
    assert "AGENT_UPLOAD_TOKEN" in result.stdout
    assert "wrong-token" not in result.stdout


@pytest.mark.slow
def test_a_page_that_greets_everybody_is_no_endpoint(tmp_path: Path, web_page: str) -> None:
    """Neither for `check` nor for the daemon, which must keep what the page swallows."""
    result = here(tmp_path, "check", AGENT_CAMERAS=CLIP, AGENT_UPLOAD_URL=web_page)
    assert result.returncode == 78, result.stdout
    assert "FAIL endpoint" in result.stdout

    recording = f"street={long_recording(tmp_path)}"
    settings = {"AGENT_CAMERAS": recording, "AGENT_FPS": 5, "AGENT_EVERY_NTH_FRAME": 2}
    with Daemon(tmp_path, **settings, AGENT_UPLOAD_URL=web_page) as daemon:
        held = daemon.wait_for("upload blocked")
        assert held["target"] == web_page
        daemon.process.terminate()
        assert daemon.ends() == 0
        assert daemon.events("capture delivered") == []
        [stopped] = daemon.events("agent stopped")
        assert stopped["waiting"] == len(daemon.stored())


def test_a_running_daemon_is_no_fault(tmp_path: Path) -> None:
    with Daemon(tmp_path, AGENT_CAMERAS="/dev/video63") as daemon:
        daemon.wait_for("camera lost")
        result = here(tmp_path, "check", AGENT_CAMERAS=CLIP)

    assert result.returncode == 0, result.stdout
    assert f"process {daemon.process.pid}" in result.stdout


def test_a_token_over_plain_http_is_a_warning(tmp_path: Path) -> None:
    """The address is from the range for documentation: nobody answers."""
    result = call(
        tmp_path,
        "run",
        AGENT_CAMERAS="no.mp4",
        AGENT_UPLOAD_URL="http://192.0.2.1/captures",
        AGENT_UPLOAD_TOKEN="plain-token",
    )

    assert 'event="upload insecure"' in result.stderr
    assert "192.0.2.1" in result.stderr
    assert "plain-token" not in result.stderr
