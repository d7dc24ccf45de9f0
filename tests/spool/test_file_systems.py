"""File systems that a spool refuses, with the reason."""

from pathlib import Path

import pytest

from agent.errors import ConfigurationError
from agent.files import Disk
from tests.spool.spool_builders import open_real


@pytest.mark.parametrize("kind", ["vfat", "msdos", "exfat"])
def test_a_spool_on_fat_is_refused(kind: str, tmp_path: Path) -> None:
    class OnFat(Disk):
        def file_system(self, path: Path) -> str:
            assert path.exists()
            return kind

    with (
        pytest.raises(ConfigurationError, match=f"its file system is {kind}, and a power cut"),
        open_real(tmp_path / "new" / "spool", disk=OnFat()),
    ):
        pass
    assert not (tmp_path / "new").exists()
