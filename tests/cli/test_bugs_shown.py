"""A bug of a command ends it with its traceback, in which no secret is."""

import errno
import os

import pytest
import typer

from agent.cli.console import errors_shown
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


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG])
def test_a_path_that_cannot_be_used_is_named_without_a_traceback(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @errors_shown
    def command() -> None:
        raise OSError(number, os.strerror(number), "/media/stick\x1b[31m")

    with pytest.raises(typer.Exit) as ended:
        command()

    assert ended.value.exit_code == 78
    said = capsys.readouterr().err
    assert "cannot use the path /media/stick\\x1b[31m: " in said
    assert os.strerror(number) in said


def test_an_error_that_no_path_explains_is_a_bug() -> None:
    @errors_shown
    def command() -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        command()
