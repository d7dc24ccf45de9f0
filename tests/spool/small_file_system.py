"""Real file systems of 20 MB, mounted for one test."""

import os
import shutil
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
    """A file system of 20 MB, mounted at `root`."""

    root: Path

    def free(self) -> int:
        """Return the bytes that this process may write."""
        stat = os.statvfs(self.root)
        return stat.f_bavail * stat.f_frsize

    def free_files(self) -> int:
        """Return how many more files may be made."""
        return os.statvfs(self.root).f_favail

    def fill(self) -> None:
        """Fill all free bytes with a foreign file."""
        with (self.root / "foreign").open("ab", buffering=0) as file:
            for block in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(bytes(block))
                except OSError:
                    continue

    def make_room(self) -> None:
        """Delete the foreign file."""
        (self.root / "foreign").unlink()

    def turn_read_only(self) -> None:
        """Make ext4 turn read-only, as it does after an error."""
        device = next(
            Path(line.split()[0]).name
            for line in Path("/proc/mounts").read_text(encoding="ascii").splitlines()
            if line.split()[1] == str(self.root)
        )
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1", encoding="ascii")

    def mount_again(self) -> None:
        """Check and mount the file system again, as a reboot does."""
        image = str(self.root.parent / "image")
        _run("umount", str(self.root))
        subprocess.run(["e2fsck", "-p", image], check=False, capture_output=True)
        _run("mount", "-o", "loop", image, str(self.root))

    @contextmanager
    def as_after_a_power_cut(self) -> Iterator[Path]:
        """Mount a copy of what the device has now, which lacks what was not flushed to it."""
        image, root = self.root.parent / "copy", self.root.parent / "copied"
        shutil.copyfile(self.root.parent / "image", image)
        subprocess.run(["fsck", "-y", str(image)], check=False, capture_output=True)
        root.mkdir()
        _run("mount", "-o", "loop", str(image), str(root))
        try:
            yield root
        finally:
            _run("umount", "-l", str(root))

    def remount(self, mode: str) -> None:
        """Remount with the mode `ro` or `rw`."""
        _run("mount", "-o", f"remount,{mode}", str(self.root))


@contextmanager
def mounted(kind: str, folder: Path, *options: str, reserved: int = 0) -> Iterator[SmallFileSystem]:
    """Mount a tmpfs, or another kind in a file; skip the test if that fails, but fail in CI.

    `kind` is `tmpfs`, or what `mkfs` makes: `ext2`, `ext3`, `ext4`, `vfat`. `options` are further
    mount options of a tmpfs, such as `nr_inodes=100`; `reserved` is the percentage of the blocks
    of an ext file system that only root may fill.
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
            quiet = ("-q", "-m", str(reserved)) if kind.startswith("ext") else ()
            _run(f"mkfs.{kind}", *quiet, str(image))
            _run("mount", "-o", "loop,errors=remount-ro", str(image), str(root))
    except (OSError, subprocess.CalledProcessError) as error:
        skip_or_fail(f"cannot mount a small {kind}: {error}")
    try:
        yield SmallFileSystem(root)
    finally:
        _run("umount", "-l", str(root))


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test; fail in CI, where every test must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
