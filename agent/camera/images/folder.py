"""Folders of images: which files are read, in which order, and when each image was taken."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from os import DirEntry, scandir
from pathlib import Path
from statistics import median

from agent.camera.images.file import read_image_bytes
from agent.camera.images.header import read_header
from agent.errors import UnusableImage
from agent.printable import printable

IMAGE_SUFFIXES = (
    *(".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
    *(".gif", ".jfif", ".jpe"),
)
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"),
    *(".ts", ".m2ts", ".mpg", ".mpeg", ".flv"),
)
FOLDER_FPS = 5.0
"""The rate of images whose time is unknown, if every frame is requested."""

_SLOW_COPY_S = 10.0
"""Files whose times of change are closer than this may as well have been copied one by one."""

_HEADER_BYTES = 128 * 1024  # EXIF is at most 64 KB, near the start
_SAMPLES = 5  # images; most must have an EXIF time before each image is asked for its own
_MOSTLY = 0.6  # share of images with a time, from which on the times are used
_MOST_SEARCHED = 10_000  # entries of subfolders, for a hint
_DEEPEST = 4  # levels of subfolders, for a hint
_MOST_NAMED = 3
_FOLDER = "folder"

_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[-_ T.]{0,2}"
    r"(\d\d)[-_.:h]?(\d\d)[-_.:m]?(\d\d)(?:[.,](\d{1,6}))?(?!\d)"
)
_EPOCH = re.compile(r"(?<!\d)(1\d{9})\.?(\d{3}|\d{6})?(?!\d)")  # 2001 to 2033


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """The images of a folder in natural order (frame2 before frame10), without hidden files."""

    path: Path
    images: tuple[Path, ...]
    passed_over: dict[str, int]
    """Files and folders that are not read: how many there are of each suffix, or of `folder`."""

    def clock(self, step: float) -> "ImageClock":
        """Return the clock of the images.

        Their times are those in EXIF or else in the names, where most images have one; else those
        at which the files were changed, if they were then seconds apart. Images without a time are
        `step` seconds apart.
        """
        if _have_exif_times(self.images):
            return ImageClock(step, exif=True)
        return ImageClock(step, _name_times(self.images) or _change_times(self.images))

    def times(self, step: float) -> list[float]:
        """Return the time of each image by `clock`; looks into each file if EXIF states them."""
        clock = self.clock(step)
        return [clock.at(_taken_at(image) if clock.exif else None) for image in self.images]

    def why_empty(self) -> str:
        """Return why there is no image, and where there are some."""
        why = f"no images in the folder. Supported are {' '.join(IMAGE_SUFFIXES)}"
        if self.passed_over:
            why += f"; it contains {counted(self.passed_over)}"
        videos = [suffix for suffix in self.passed_over if suffix in VIDEO_SUFFIXES]
        if videos:
            return f"{why}. Each video is a recording of its own: give its path"
        if nested := _images_below(self.path):
            named = ", ".join(
                f"{printable(folder)} ({count})" for folder, count in nested[:_MOST_NAMED]
            )
            more = f" and {len(nested) - _MOST_NAMED} more" if len(nested) > _MOST_NAMED else ""
            return f"{why}. Folders in it are not read; give the one with the images: {named}{more}"
        return why


class ImageClock:
    """Times of images in seconds after the first one; they always increase."""

    def __init__(
        self, step: float, stated: Sequence[float | None] | None = None, *, exif: bool = False
    ) -> None:
        """`stated` are the times of all images; with `exif`, `at` gets that of each."""
        self.exif = exif
        self._step = step
        self._stated = stated
        self._index = -1
        self._at = 0.0
        self._before: float | None = None  # what the latest image with a time stated

    def at(self, taken_at: float | None) -> float:
        """Return the time of the next image; `taken_at` is what its EXIF states."""
        self._index += 1
        if not self.exif and self._stated is None:
            return self._index * self._step
        now = taken_at if self._stated is None else self._stated[self._index]
        if self._index:
            gap = 0.0 if now is None or self._before is None else abs(now - self._before)
            self._at += gap or self._step
        self._before = self._before if now is None else now
        return self._at


def image_folder(path: Path) -> ImageFolder:
    """List the folder; raises `OSError`."""
    images, others = [], Counter[str]()
    for entry in sorted(path.iterdir(), key=_natural_order):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            others[_FOLDER] += 1
        elif entry.suffix.lower() in IMAGE_SUFFIXES:
            images.append(entry)
        else:
            others[printable(entry.suffix.lower()) or "no suffix"] += 1
    return ImageFolder(path, tuple(images), dict(others.most_common()))


def counted(numbers: dict[str, int]) -> str:
    """Return such as `12 .txt, 1 folder`; the most frequent, and the sum of the others."""
    shown = [
        f"{count} {name}{'s' * (name == _FOLDER and count > 1)}"
        for name, count in list(numbers.items())[:_MOST_NAMED]
    ]
    rest = sum(list(numbers.values())[_MOST_NAMED:])
    return ", ".join([*shown, *([f"{rest} others"] if rest else [])])


def _have_exif_times(images: tuple[Path, ...]) -> bool:
    samples = {images[round(n * (len(images) - 1) / (_SAMPLES - 1))] for n in range(_SAMPLES)}
    return _mostly([_taken_at(image) for image in samples])


def _mostly(times: Collection[float | None]) -> bool:
    """Whether most of the times are known: a folder may contain a few damaged or other images."""
    return sum(time is not None for time in times) >= _MOSTLY * len(times)


def _taken_at(image: Path) -> float | None:
    try:
        return read_header(read_image_bytes(image, _HEADER_BYTES, cut=True)).taken_at
    except (UnusableImage, OSError):
        return None


def _name_times(images: Iterable[Path]) -> list[float | None] | None:
    times = [stated_time(image.name) for image in images]
    return times if _mostly(times) else None


def stated_time(name: str) -> float | None:
    """Return the time that a file name states, in seconds since 1970; None if it states none."""
    if (date := _DATE.search(name)) is not None:
        parts, fraction = [int(part) for part in date.groups()[:6]], date[7]
        try:
            at = datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]
        except ValueError:
            return None
        return at + (float(f"0.{fraction}") if fraction else 0.0)
    if (epoch := _EPOCH.search(name)) is not None:
        return float(f"{epoch[1]}.{epoch[2] or 0}")
    return None


def _change_times(images: Iterable[Path]) -> list[float | None] | None:
    try:
        times = [image.stat().st_mtime for image in images]
    except OSError:
        return None
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if not gaps or min(gaps) < 0 or median(gaps) < _SLOW_COPY_S:
        return None
    return list(times)


def _images_below(folder: Path) -> list[tuple[Path, int]]:
    """Find folders below `folder` that contain images, relative to it, with the number of them."""
    found = Counter[Path]()
    for number, entry in enumerate(_entries(folder, _DEEPEST)):
        if number >= _MOST_SEARCHED:
            break
        if Path(entry.name).suffix.lower() in IMAGE_SUFFIXES:
            found[Path(entry.path).parent.relative_to(folder)] += 1
    return sorted(found.items())


def _entries(folder: Path, depth: int) -> Iterator[DirEntry[str]]:
    try:
        with scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in inside:
        if entry.is_dir(follow_symlinks=False):
            if depth:
                yield from _entries(Path(entry.path), depth - 1)
        else:
            yield entry


def _natural_order(path: Path) -> tuple[list[str | int], str]:
    """Return a sort key that compares numbers in names by value; the name decides ties."""
    pieces: list[str | int] = list(re.split(r"([0-9]+)", path.name.casefold()))
    pieces[1::2] = [int(piece) for piece in pieces[1::2]]  # every second piece is a number
    return pieces, path.name
