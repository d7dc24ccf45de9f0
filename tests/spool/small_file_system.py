"""Real file systems of 20 MB, mounted for one test."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

SIZE = 20_000_000


@dataclass(frozen=True, slots=True)
class SmallFileSystem:
    """Mounted at `root`."""

    root: Path

    def free(self) -> int:
        """Bytes that we may write."""
        stat = os.statvfs(self.root)
        return stat.f_bavail * stat.f_frsize

    def fill(self) -> None:
        """Others take all that is free."""
        with (self.root / "foreign").open("ab", buffering=0) as file:
            for block in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(bytes(block))
                except OSError:
                    continue

    def make_room(self) -> None:
        """Others give it back."""
        (self.root / "foreign").unlink()

    def turn_read_only(self) -> None:
        """What ext4 does by itself when it meets an error."""
        device = next(
            Path(line.split()[0]).name
            for line in Path("/proc/mounts").read_text(encoding="ascii").splitlines()
            if line.split()[1] == str(self.root)
        )
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1", encoding="ascii")

    def mount_again(self) -> None:
        """As a reboot would, after the check of the file system."""
        image = str(self.root.parent / "image")
        _run("umount", str(self.root))
        subprocess.run(["e2fsck", "-p", image], check=False, capture_output=True)
        _run("mount", "-o", "loop", image, str(self.root))

    def remount(self, mode: str) -> None:
        """Mode is `ro` or `rw`."""
        _run("mount", "-o", f"remount,{mode}", str(self.root))


@contextmanager
def mounted(kind: str, folder: Path, *options: str) -> Iterator[SmallFileSystem]:
    """Mount a tmpfs, or an ext4 in a file; skip where that is not allowed, but never in CI.

    `options` are more of a tmpfs's own, such as `nr_inodes=100`.
    """
    root = folder / kind
    root.mkdir()
    try:
        if kind == "tmpfs":
            how = ",".join([f"size={SIZE}", *options])
            _run("mount", "-t", "tmpfs", "-o", how, "tmpfs", str(root))
        else:
            image = folder / "image"
            with image.open("wb") as file:
                file.truncate(SIZE)
            _run("mkfs.ext4", "-q", "-m", "0", str(image))
            _run("mount", "-o", "loop,errors=remount-ro", str(image), str(root))
    except (OSError, subprocess.CalledProcessError) as error:
        cannot_here(f"cannot mount a small {kind}: {error}")
    try:
        yield SmallFileSystem(root)
    finally:
        _run("umount", "-l", str(root))


def cannot_here(reason: str) -> NoReturn:
    """Skip the test on a laptop; in CI nothing is left out."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
