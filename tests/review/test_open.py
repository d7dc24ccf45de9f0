"""What `review` says when a person has to change something."""

import socket
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ConfigurationError
from agent.factories.reviews import open_review
from tests.fakes.api import ApiClient
from tests.review.review_folder import ReviewFolder


def why_not(source: Path | str, **how: Any) -> str:
    given = {"host": "127.0.0.1", "port": 0, **how}
    with pytest.raises(ConfigurationError) as refused, open_review(str(source), **given):
        pass
    return str(refused.value)


def test_it_serves_and_ends(folder: ReviewFolder) -> None:
    folder.put(0)
    with open_review(str(folder.path), host="127.0.0.1", port=0, by="Ann") as opened:
        port = int(opened.url.rstrip("/").rpartition(":")[2])
        assert opened.url == f"http://127.0.0.1:{port}/"
        assert opened.warnings == ()
        assert ApiClient(port=port).get("/").status == 200
    with pytest.raises(ConnectionRefusedError):
        ApiClient(port=port).get("/")


def test_a_folder_that_is_no_dataset(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    empty = tmp_path / "empty"
    empty.mkdir()

    assert "there is no such folder; name the folder that" in why_not(tmp_path / "gone")
    assert "it is not a folder" in why_not(file)
    assert "it is not a dataset, for it has no folder records/" in why_not(empty)


def test_a_folder_that_cannot_be_written(
    folder: ReviewFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put(0)
    monkeypatch.setattr("agent.factories.reviews.os.access", lambda path, mode: False)

    assert "this user may not write" in why_not(folder.path)


def test_addresses(folder: ReviewFolder, tmp_path: Path) -> None:
    folder.put(0)
    empty = tmp_path / "token"
    empty.write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "another program uses the port" in why_not(folder.path, port=port)

    assert "it needs --token-file; or use --host 127.0.0.1" in why_not(folder.path, host="0.0.0.0")
    assert "cannot use --host a b" in why_not(folder.path, host="a b")
    assert "it is empty" in why_not(folder.path, token_file=empty)
    assert "--tls-cert: cannot use" in why_not(folder.path, certificate=tmp_path / "none.pem")


def test_beyond_loopback_it_warns(folder: ReviewFolder, tmp_path: Path) -> None:
    folder.put(0)
    token = tmp_path / "token"
    token.write_text("secret\n")
    with open_review(str(folder.path), host="0.0.0.0", port=0, token_file=token) as opened:
        assert opened.url.startswith(f"http://{socket.gethostname()}:")
        assert any("the password is the token" in line for line in opened.warnings)
        assert any("unencrypted" in line for line in opened.warnings)
