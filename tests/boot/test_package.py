"""What is in the Debian packages, that of another architecture too, which cannot be run here."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from debian import ROOT, Build, build_package, download, run

from agent import __version__

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

MACHINE_OF = {"amd64": 62, "arm64": 183}  # e_machine, elf(5)
PLACES = (
    *("opt/capture-agent/", "usr/bin/capture-agent", "usr/share/doc/", "usr/share/lintian/"),
    *("usr/share/man/man1/", "usr/share/bash-completion/completions/"),
    *("usr/share/zsh/vendor-completions/", "usr/share/fish/vendor_completions.d/"),
)


@pytest.fixture(scope="module", params=sorted(MACHINE_OF))
def built(
    request: pytest.FixtureRequest, build: Build, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Build, Path]:
    here = replace(build, architecture=request.param)
    folder = tmp_path_factory.mktemp(request.param)
    download(here, folder / "wheels")
    return here, build_package(here, folder / "wheels", folder)


@pytest.fixture(scope="module")
def tree(built: tuple[Build, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Build, Path]:
    folder = tmp_path_factory.mktemp("tree")
    run("dpkg-deb", "--raw-extract", str(built[1]), str(folder))
    return built[0], folder


def files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def test_all_is_roots_readable_by_all_and_in_its_place(built: tuple[Build, Path]) -> None:
    for line in run("dpkg-deb", "--contents", str(built[1])).splitlines():
        mode, owner, *_, path = line.partition(" -> ")[0].split(maxsplit=5)
        assert owner == "root/root", line
        assert re.fullmatch(r"-rw-r--r--|[-d]rwxr-xr-x|lrwxrwxrwx", mode), line
        assert path.endswith("/") or path.removeprefix("./").startswith(PLACES), line


def test_it_says_what_it_is_and_needs(built: tuple[Build, Path]) -> None:
    build, package = built
    words = ("Package", "Version", "Architecture", "Depends")

    said = run("dpkg-deb", "--field", str(package), *words)

    facts = dict(line.split(": ", 1) for line in said.splitlines())
    assert facts["Package"] == "capture-agent"
    assert package.name == f"capture-agent_{facts['Version']}_{facts['Architecture']}.deb"
    assert facts["Version"] == f"{__version__}+py{build.python}"
    assert facts["Architecture"] == build.architecture
    assert f"python{build.python}" in facts["Depends"].split(", ")


def test_each_program_is_for_its_machine(tree: tuple[Build, Path]) -> None:
    build, folder = tree
    heads = [path.read_bytes()[:20] for path in files(folder)]

    machines = {head[18] + 256 * head[19] for head in heads if head[:4] == b"\x7fELF"}

    assert machines == {MACHINE_OF[build.architecture]}
    python = folder / "opt/capture-agent/bin/python"
    assert str(python.readlink()) == f"/usr/bin/python{build.python}"


def test_nothing_in_it_tells_of_the_computer_that_built_it(tree: tuple[Build, Path]) -> None:
    folder = tree[1]
    for place in {str(ROOT), sys.prefix, str(folder)}:
        words = ("--recursive", "--files-with-matches", "--fixed-strings", place, str(folder))
        done = subprocess.run(("grep", *words), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")


def test_each_file_has_its_checksum(tree: tuple[Build, Path]) -> None:
    folder = tree[1]
    run("sh", "-c", f"cd {folder} && md5sum --check --strict --quiet DEBIAN/md5sums")

    lines = (folder / "DEBIAN/md5sums").read_text("utf-8").splitlines()
    packed = {str(path.relative_to(folder)) for path in files(folder)}
    assert {line[34:] for line in lines} == {n for n in packed if not n.startswith("DEBIAN/")}


def test_each_library_is_named_in_the_file_of_licences(tree: tuple[Build, Path]) -> None:
    text = (tree[1] / "usr/share/doc/capture-agent/copyright").read_text("utf-8")

    for library in tree[1].glob("opt/capture-agent/lib/*/site-packages/*.dist-info"):
        assert library.name.startswith("edge_capture_agent") or f"/{library.name}/*" in text
