"""Parses AGENT_MASKS: the regions of each camera's image that nobody may see. Pure.

`gate:0,0 640,0 640,200 0,200` is a polygon of camera gate. Several are separated by `;`, or each
begins with the name of its camera. A polygon whose coordinates are all between 0 and 1 is in shares
of the image's width and height, and fits each size; every other one is in pixels of the frame as
read, whole numbers. `gate@1280x720:...` states the size of the frames that the pixels belong to.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.camera.polygons import area, clipped, crosses_itself, hull
from agent.domain import Polygon
from agent.printable import printable

MOST_POLYGONS = 200
MOST_CORNERS = 100

_LARGEST = 1_000_000  # pixels; an image has at most as many on a side
_SHOWN = 60  # characters of a polygon in a message
_LEAST_CORNERS = 3
_HEAD = re.compile(r"([^:\s]*):(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAMED = re.compile(r"[A-Za-z0-9_-]+(@[0-9x]+)?=")  # a name as AGENT_CAMERAS has it
_SIZE = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", re.ASCII)
_POINT = re.compile(r"([-+]?[0-9]*\.?[0-9]+|[-+]?[0-9]+\.),([-+]?[0-9]*\.?[0-9]+|[-+]?[0-9]+\.)")


@dataclass(frozen=True, slots=True)
class CameraMask:
    """One region that is painted over in each frame of a camera.

    A polygon whose edges cross was replaced by its hull, which leaves nothing of it uncovered.
    """

    camera: str  # empty: of the only camera
    corners: Polygon
    in_shares: bool  # of width and height; else in pixels
    size: tuple[int, int] | None = None  # width and height that the pixels belong to, where stated

    def on(self, width: int, height: int) -> Polygon:
        """Return the part in a frame of this size, in its pixels; empty if it lies outside."""
        if self.in_shares:
            return clipped([(x * width, y * height) for x, y in self.corners], width, height)
        return clipped(self.corners, width, height)


def parse_masks(text: str, cameras: Collection[str] = ()) -> tuple[CameraMask, ...]:
    """Parse the polygons of all cameras; a polygon needs no name where there is one camera.

    `cameras` are the names of all cameras; none: they are not known, and not checked.

    Raises:
        ValueError: Parts are invalid; the message names each, and says what is allowed.
    """
    masks: list[CameraMask] = []
    problems: list[str] = []
    parts = list(_parts(text))
    if not parts:
        problems.append("no polygon; write the camera and its corners: gate:0,0 1,0 1,0.3 0,0.3")
    if len(parts) > MOST_POLYGONS:
        problems.append(f"{len(parts)} polygons; at most {MOST_POLYGONS} are allowed")
        parts = []
    for part in parts:
        try:
            masks.append(_parse(part, cameras))
        except ValueError as error:
            problems.append(f"'{printable(part, _SHOWN)}': {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(masks)


def masks_of(masks: Iterable[CameraMask], camera: str) -> tuple[CameraMask, ...]:
    """Return the masks of one camera; one without a name is of the only camera."""
    return tuple(mask for mask in masks if mask.camera in ("", camera))


def _parts(text: str) -> Iterator[str]:
    """Yield each polygon with its head: parts end at `;`, and before a word with a name."""
    tidy = re.sub(r"\s*,\s*|\s+(?=:)", lambda found: found[0].strip(), text)
    for piece in tidy.split(";"):
        part: list[str] = []
        for word in piece.split():
            if ":" in word and part:
                yield " ".join(part)
                part = []
            part.append(word)
        if part:
            yield " ".join(part)


def _parse(part: str, cameras: Collection[str]) -> CameraMask:
    """Parse one polygon; raises `ValueError` that lists all that is wrong with it."""
    problems: list[str] = []
    head = _HEAD.fullmatch(part)
    label, points = (head[1], head[2]) if head else ("", part)
    name, at, stated = label.partition("@")
    size = _size(stated, problems) if at else None
    _check_name(name, cameras, problems, has_head=head is not None and not at)
    corners = _corners(points.split(), problems)
    if problems:
        raise ValueError(", and ".join(problems))
    in_shares = all(0 <= value <= 1 for corner in corners for value in corner)
    whole = all(value.is_integer() for corner in corners for value in corner)
    if not in_shares and not whole:
        raise ValueError(
            "its corners must be all in pixels, whole numbers, or all in shares of the image "
            "from 0 to 1"
        )
    if in_shares and size is not None:
        raise ValueError(f"shares fit each size: leave @{stated} away")
    if size is not None and not clipped(corners, *size):
        raise ValueError(f"it lies outside of an image of {stated}")
    return CameraMask(name, corners, in_shares, size)


def _size(stated: str, problems: list[str]) -> tuple[int, int] | None:
    found = _SIZE.fullmatch(stated)
    if found is None:
        problems.append(f"after @ stands the size of the frames, such as @1280x720, not @{stated}")
        return None
    return int(found[1]), int(found[2])


def _check_name(
    name: str, cameras: Collection[str], problems: list[str], *, has_head: bool
) -> None:
    """Note what is wrong with the name of the camera."""
    if not name:
        if has_head:
            problems.append("no name before the colon")
        elif len(cameras) > 1:
            problems.append(
                f"whose is it? Write the camera before it; the cameras are {', '.join(cameras)}"
            )
        return
    if not _NAME.fullmatch(name):
        problems.append(f"'{name}' is no name of a camera")
    elif cameras and name not in cameras:
        near = closest_camera(name, cameras)
        hint = f"did you mean {near}?" if near else f"the cameras are {', '.join(cameras)}"
        problems.append(f"there is no camera {name}; {hint}")


def closest_camera(name: str, cameras: Collection[str]) -> str | None:
    """Return the camera that a mistyped name most resembles; None if none does."""
    import difflib  # only where something is wrong

    by_key = {each.casefold(): each for each in cameras}
    near = difflib.get_close_matches(name.casefold(), list(by_key), n=1, cutoff=0.6)
    return by_key[near[0]] if near else None


def _corners(words: Sequence[str], problems: list[str]) -> Polygon:
    """Return the corners, without repetitions; of edges that cross, the corners of the hull."""
    wrong = [word for word in words if not _is_point(word)]
    if wrong:
        shown = ", ".join(f"'{word}'" for word in wrong[:3])
        problems.append(f"{shown}: a corner is x,y, such as 640,200 or 0.5,0.25")
        if _NAMED.match(words[0]):
            problems.append("a colon, not =, is between the camera's name and its corners")
        return ()
    if len(words) > MOST_CORNERS:
        problems.append(f"it has {len(words)} corners; at most {MOST_CORNERS} are allowed")
        return ()
    points = [(float(x), float(y)) for x, y in (word.split(",") for word in words)]
    closed = points[:1] + [point for before, point in pairwise(points) if point != before]
    if len(closed) > 1 and closed[0] == closed[-1]:
        closed.pop()
    if len(set(closed)) < _LEAST_CORNERS:
        problems.append(f"a polygon needs 3 different corners or more, not {len(set(closed))}")
        return ()
    if not area(hull(closed)):
        problems.append("its corners lie on one line, so that it hides nothing")
        return ()
    return hull(closed) if crosses_itself(closed) else tuple(closed)


def _is_point(word: str) -> bool:
    found = _POINT.fullmatch(word)
    return found is not None and all(abs(float(each)) <= _LARGEST for each in found.groups())
