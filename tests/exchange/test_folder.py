"""The exchange folder is ours, and what lies in it can neither mislead nor block."""

import os
from pathlib import Path

import pytest

from agent.exchange.folder import exchange_path, opened, prepare, read_file
from agent.files import Disk
from tests.spool.small_file_system import skip_or_fail


def test_systemd_decides_where_it_is_and_else_the_spool(tmp_path: Path) -> None:
    spool, live = tmp_path / "spool", tmp_path / "spool" / "live"

    inside = exchange_path("/run/capture-agent:/run/other", spool, in_spool=live)
    assert inside.parent == Path("/run/capture-agent")
    assert inside != exchange_path("/run/capture-agent", tmp_path / "demo", in_spool=live)
    for none in (None, "", "relative"):
        assert exchange_path(none, spool, in_spool=live) == live


def test_it_is_private(tmp_path: Path) -> None:
    prepare(tmp_path / "a" / "b", Disk())

    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(OSError, match="link"):
        prepare(tmp_path / "link", Disk())


def test_a_folder_that_others_can_write_into_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)

    with pytest.raises(PermissionError, match="others may write"):
        prepare(tmp_path / "open", Disk())


def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        skip_or_fail("only root can give a folder away")
    (tmp_path / "given").mkdir(mode=0o700)
    os.chown(tmp_path / "given", 65_534, 65_534)

    with pytest.raises(PermissionError, match="another user"):
        prepare(tmp_path / "given", Disk())


def test_an_opened_folder_stays_the_same_when_its_name_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    prepare(path, Disk())
    with opened(path, user=os.geteuid()) as folder:
        path.rename(tmp_path / "moved")
        (tmp_path / "evil").mkdir()
        path.symlink_to(tmp_path / "evil")
        Disk().publish(folder / "a", b"1")

    assert (tmp_path / "moved" / "a").read_bytes() == b"1"
    assert not list((tmp_path / "evil").iterdir())


def test_only_a_regular_file_of_bounded_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()

    assert read_file(tmp_path / "file", 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_file(tmp_path / "file", 4)
    for name in ("link", "pipe", "folder", "missing"):
        with pytest.raises(OSError, match=name):
            read_file(tmp_path / name, 5)
