"""A small Debian, made once and kept as an archive: systemd, Python, and no agent."""

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

PACKAGES = ("systemd", "systemd-sysv", "dbus", "passwd", "python3", "python3-venv", "pipx")


class RootFailed(Exception):
    """No root could be made; the message says why."""


def unpacked(cache: Path, folder: Path) -> Path:
    """A fresh root in `folder`, from the archive in `cache`, which is made if there is none."""
    folder.mkdir()
    subprocess.run(["tar", "-xf", _archive(cache), "-C", folder], check=True)
    return folder


def python_here() -> str:
    """The minor version of the Python of this computer's distribution, such as 3.11."""
    return Path("/usr/bin/python3").readlink().name.removeprefix("python")


def _archive(cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    suite = suite_of(Path("/etc/os-release").read_text("utf-8"))
    archive = cache / f"{suite}.tar"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            part = archive.with_suffix(".part.tar")
            _make(suite, part)
            part.rename(archive)
    return archive


def _make(suite: str, archive: Path) -> None:
    """From where this computer's own packages come, by its own settings."""
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise RootFailed("needs mmdebstrap from the package mmdebstrap")
    sources = apt_sources(Path("/etc/apt"), suite)
    if not sources:
        raise RootFailed(f"needs a source of {suite} in /etc/apt/sources.list or sources.list.d")
    words = ["--variant=minbase", f"--include={','.join(PACKAGES)}", "--skip=output/dev"]
    done = subprocess.run(
        [tool, *words, suite, archive, *sources],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RootFailed(f"mmdebstrap: {done.stderr[-2000:]}")


def suite_of(os_release: str) -> str:
    """The name of the distribution's version, such as bookworm."""
    found = re.search(r"(?m)^VERSION_CODENAME=(\w+)", os_release)
    if not found:
        raise RootFailed("needs a Debian or Ubuntu: /etc/os-release has no VERSION_CODENAME")
    return found[1]


def apt_sources(folder: Path, suite: str) -> list[Path]:
    """The files that name this suite, not only `something-suite` of somebody else."""
    named = re.compile(rf"(?m)^(deb|Suites:).*(?<![\w-]){suite}(?![\w-])")
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    known = [path for path in files if path.suffix in {".list", ".sources"} and path.is_file()]
    return [path for path in known if named.search(path.read_text("utf-8"))]
