"""File systems that a spool refuses, with the reason."""

from pathlib import Path

import pytest

from agent.errors import ConfigurationError
from tests.fakes.disk.real import TypedDisk
from tests.spool.spool_builders import open_real


@pytest.mark.parametrize("kind", ["vfat", "msdos", "exfat"])
def test_a_spool_on_fat_is_refused(kind: str, tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match=f"its file system is {kind}, and a power cut"),
        open_real(tmp_path / "new" / "spool", disk=TypedDisk(kind)),
    ):
        pass
    assert not (tmp_path / "new").exists()
