"""Two calls on one output folder: the second one is refused and told who is there."""

import os
from pathlib import Path

import pytest

from agent.errors import TemporaryError
from agent.files import Disk
from agent.pool.output import place
from agent.pool.output.place import owned_folder


def test_a_second_call_is_refused_with_the_process_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "_LOCK_S", 0.0)
    with (
        owned_folder(tmp_path, Disk()),
        pytest.raises(TemporaryError, match=f"works there, the process {os.getpid()}; wait"),
        owned_folder(tmp_path, Disk()),
    ):
        pass

    with owned_folder(tmp_path, Disk()):
        pass
