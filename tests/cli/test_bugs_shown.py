"""A bug of a command ends it with its traceback, in which no secret is."""

import pytest

from agent.cli.streams import bugs_shown


def test_the_traceback_of_a_bug_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, bugs_shown():
        raise RuntimeError("cannot parse rtsp://admin:s3cret@10.0.0.7/live")

    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert "Traceback" in said
    assert "RuntimeError: cannot parse rtsp://***@10.0.0.7/live" in said
    assert "s3cret" not in said.replace('raise RuntimeError("cannot parse rtsp://admin:', "")


def test_an_exit_code_passes() -> None:
    with pytest.raises(SystemExit) as ended, bugs_shown():
        raise SystemExit(75)

    assert ended.value.code == 75
