"""Zip archives of strangers: what is needed of them is written to a temporary folder.

An archive can name places outside of the folder, links and devices, or grow to terabytes. So
names are checked, links are refused, and what is written is counted while it is written.
"""

import lzma
import os
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from agent.dataset.annotations.source import ReviewError
from agent.files import Disk, open_regular
from agent.printable import printable

FILES_MAX = 300_000
"""Files in an archive."""

BYTES_MAX = 2_000_000_000
"""Bytes of all annotations in an archive, unpacked."""

FILE_MAX = 500_000_000
"""Bytes of one of its files, unpacked."""

_TEXTS = frozenset({".json", ".xml", ".txt", ".yaml", ".yml", ".csv", ".names", ".data"})
_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
_DIRECTORY_MAX = 100_000_000  # bytes of the list of files
_DEPTH = 12
_END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"
_END_BYTES = 65_600
_END_SIZE = struct.Struct("<12xL")
_END64_SIZE = struct.Struct("<40xQ")
_PART = 1 << 20
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError),
    RuntimeError,  # zipfile: a password is needed, or the compression method is unknown
)


def is_archive(file: Path) -> bool:
    """Whether a file is a zip archive, by its content; raises `OSError` or `ValueError`."""
    with os.fdopen(open_regular(file), "rb") as stream:
        return stream.read(4) in {b"PK\x03\x04", _END}


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """A temporary folder with the annotations of an archive, and empty files for its images.

    Raises `ReviewError` for an archive that is damaged, too large or hostile.
    """
    with tempfile.TemporaryDirectory(prefix="capture-agent-") as made:
        # Two levels down: class names are also looked for in the folders above the content, which
        # must not be the system's temporary folder.
        folder = Path(made).resolve() / "archive" / "content"
        try:
            folder.mkdir(parents=True)
            with os.fdopen(open_regular(file), "rb") as stream:
                _require_short_list(stream)
                with zipfile.ZipFile(stream) as archive:
                    _unpack(archive, list(_members(archive)), folder)
        except _DAMAGED as error:
            why = (error.strerror if isinstance(error, OSError) else None) or error
            raise ReviewError(f"cannot unpack {printable(file)}: {printable(why)}") from error
        yield folder


def _require_short_list(stream: BinaryIO) -> None:
    """Raise `ValueError` for a list of files that would fill the memory: it is read at once."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(size - _END_BYTES, 0))
    tail = stream.read()
    for mark, form in ((_END, _END_SIZE), (_END64, _END64_SIZE)):
        place = tail.rfind(mark)
        if place >= 0 and len(tail) - place >= form.size:
            (length,) = form.unpack_from(tail, place)
            is_elsewhere = form is _END_SIZE and length == 0xFFFF_FFFF  # noqa: PLR2004
            if length > _DIRECTORY_MAX and not is_elsewhere:
                raise ValueError("it holds too many files")
    stream.seek(0)


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Yield the files to unpack with their checked names."""
    infos = archive.infolist()
    if len(infos) > FILES_MAX:
        raise ValueError(f"it holds more than {FILES_MAX} files")
    if sum(info.file_size for info in infos if _is_text(info.filename)) > BYTES_MAX:
        raise ValueError(f"its annotations have more than {BYTES_MAX} bytes")
    for info in infos:
        if info.is_dir():
            continue
        name = PurePosixPath(info.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in info.filename:
            raise ValueError(f"it names a file outside of itself: {printable(info.filename, 100)}")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ValueError(f"it holds a link: {printable(info.filename, 100)}")
        if len(name.parts) > _DEPTH:
            raise ValueError("its folders are nested too deeply")
        if name.suffix.lower() in _TEXTS | _IMAGES and "__MACOSX" not in name.parts:
            yield info, name


def _unpack(
    archive: zipfile.ZipFile,
    members: list[tuple[zipfile.ZipInfo, PurePosixPath]],
    folder: Path,
) -> None:
    disk = Disk(inside=folder)
    left = BYTES_MAX
    made: set[Path] = {folder}
    for info, name in members:
        path = folder / name
        if path.parent not in made:
            disk.make_directory(path.parent)
            made.add(path.parent)
        data = b""
        if _is_text(info.filename):
            with archive.open(info) as member:
                data = _read(member, min(left, FILE_MAX))
            left -= len(data)
        disk.publish(path, data)


def _read(member: IO[bytes], most: int) -> bytes:
    """Return the content of a file, whatever length the archive states of it."""
    parts, length = [], 0
    while part := member.read(_PART):
        length += len(part)
        if length > most:
            raise ValueError("a file of it is too large when it is unpacked")
        parts.append(part)
    return b"".join(parts)


def _is_text(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _TEXTS
