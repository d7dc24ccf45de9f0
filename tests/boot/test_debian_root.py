"""Which of a computer's own sources a small system is made from."""

from pathlib import Path

import pytest

from tests.boot.debian_root import RootFailed, apt_sources, suite_of


def test_the_release_is_read_from_os_release() -> None:
    assert suite_of('ID=debian\nVERSION_CODENAME=bookworm\nNAME="x"\n') == "bookworm"
    with pytest.raises(RootFailed, match="VERSION_CODENAME"):
        suite_of("ID=alpine\n")


@pytest.mark.parametrize(
    ("name", "text", "taken"),
    [
        ("debian.sources", "Types: deb\nURIs: file:/x\nSuites: bookworm bookworm-updates\n", True),
        ("main.list", "deb file:/x bookworm main\n", True),
        ("main.list", "# deb file:/x bookworm main\n", False),
        ("cloud.list", "deb file:/x cloud-sdk-bookworm main\n", False),
        ("old.list.disabled", "deb file:/x bookworm main\n", False),
        ("next.sources", "Types: deb\nURIs: file:/x\nSuites: trixie\n", False),
    ],
)
def test_only_sources_of_this_release_are_taken(
    tmp_path: Path, name: str, text: str, *, taken: bool
) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / name).write_text(text, "utf-8")

    assert apt_sources(tmp_path, "bookworm") == ([folder / name] if taken else [])
