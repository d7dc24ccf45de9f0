"""`capture-agent receive`: what keeps it from starting."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.errors import ConfigurationError


@pytest.mark.parametrize("name", ["", "new/folder"])
def test_a_folder_that_cannot_be_written_is_named_before_a_device_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Root may write any folder, so the answer of the kernel is that of a read-only mount."""
    allowed = os.access

    def of_kernel(path: Path, mode: int) -> bool:
        return allowed(path, mode) and not (Path(path) == tmp_path and mode & os.W_OK)

    monkeypatch.setattr(os, "access", of_kernel)

    result = CliRunner().invoke(app, ["receive", "--dir", str(tmp_path / name), "--port", "0"])

    assert result.exit_code == ConfigurationError.exit_code
    assert f"{tmp_path} cannot be written; mount it for writing" in result.output
