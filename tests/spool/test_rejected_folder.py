"""`rejected/` stays within its limit, says so, and keeps what was just refused."""

import io
from pathlib import Path

from agent.files import Disk
from agent.spool.layout import Pruned, prune
from agent.spool.spool import Spool
from tests.fakes.captures import capture_id, new_capture
from tests.fakes.disk.real import MovedDisk
from tests.spool.spool_builders import counts_add_up, open_real


def _reject(spool: Spool, number: int) -> None:
    """Reject one capture; the others that were claimed for it wait again."""
    claimed = []
    while (capture := spool.claim()) and capture.id != capture_id(number):
        claimed.append(capture.id)
    assert capture
    spool.reject(capture.id)
    for identity in claimed:
        spool.release(identity)


def test_the_one_just_refused_stays_and_what_goes_is_logged(tmp_path: Path) -> None:
    log = io.StringIO()
    root = tmp_path / "spool"
    with open_real(root, limit=10_000_000, log=log) as spool:  # 500,000 of them for rejected/
        spool.put([new_capture(number, size=150_000) for number in range(1, 8)])
        for number in range(7, 0, -1):  # the last one refused is the first one stored
            _reject(spool, number)
            names = {path.name for path in (root / "rejected").iterdir()}
            assert any(capture_id(number) in name for name in names)
            assert counts_add_up(spool)
        assert spool.counts()["rejected"] == 7

    assert len(names) == 3
    assert log.getvalue().count("folder pruned") == 4
    assert "folder=rejected files=1" in log.getvalue()


def test_what_was_moved_first_goes_first(tmp_path: Path) -> None:
    names = [f"s0500-00000000000{number}-x.capture" for number in (3, 2, 1)]
    for name in names:
        (tmp_path / name).write_bytes(bytes(100))
    moved = dict(zip(names, (1.0, 2.0, 3.0), strict=True))

    pruned = prune(MovedDisk(moved), tmp_path, 150)

    assert pruned == Pruned(2, 200, 100)
    assert [path.name[:18] for path in tmp_path.iterdir()] == ["s0500-000000000001"]


def test_a_folder_within_its_limit_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(100))

    assert prune(Disk(), tmp_path, 100) == Pruned(0, 0, 100)
    assert prune(Disk(), tmp_path / "none", 100) == Pruned(0, 0, 0)


def test_one_that_is_larger_than_the_limit_stays_until_the_next(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(1000))

    assert prune(Disk(), tmp_path, 100, keep="large") == Pruned(0, 0, 1000)
    assert prune(Disk(), tmp_path, 100) == Pruned(1, 1000, 0)
