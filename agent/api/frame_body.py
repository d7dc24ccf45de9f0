"""Reads the body of a pushed frame, piece by piece as it arrives, within its bounds."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request

from agent.printable import printable

IMAGE_BYTES = 32_000_000
"""Of an image, as it is accepted from other cameras."""

PREDICTIONS_BYTES = 1_000_000
"""Of the predictions of one frame."""

IMAGE, PREDICTIONS = "image", "predictions"
IMAGE_TYPES = ("image/jpeg", "image/png")

_FORM = "multipart/form-data"
_LIMITS = {IMAGE: IMAGE_BYTES, PREDICTIONS: PREDICTIONS_BYTES}
_FORM_BYTES = 10_000  # of boundaries and headers
_INVALID, _TOO_LARGE, _OTHER_TYPE = 400, 413, 415


@dataclass(frozen=True, slots=True)
class FrameBody:
    """What was sent."""

    image: bytes = field(repr=False)
    predictions: bytes | None = field(repr=False)


async def read_frame(request: Request) -> FrameBody:
    """Return the image and the predictions of a request.

    Raises `HTTPException` with 400, 413 or 415 and what to do instead.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind in IMAGE_TYPES:
        _check_length(request, IMAGE_BYTES)
        pieces = [piece async for piece in _bounded(request, IMAGE_BYTES)]
        return FrameBody(b"".join(pieces), None)
    if kind != _FORM:
        raise HTTPException(
            _OTHER_TYPE,
            f"cannot take a frame of the type '{printable(kind)}': send the Content-Type "
            f"{' or '.join(IMAGE_TYPES)}, or {_FORM} with the parts {IMAGE} and {PREDICTIONS}",
        )
    if not options.get("boundary"):
        raise HTTPException(
            _INVALID, f"cannot read the form: its Content-Type {_FORM} has no boundary"
        )
    most = sum(_LIMITS.values()) + _FORM_BYTES
    _check_length(request, most)
    parts = await _parts(_bounded(request, most), options["boundary"])
    if IMAGE not in parts:
        raise HTTPException(_INVALID, f"cannot read the form: the part {IMAGE} is missing")
    return FrameBody(parts[IMAGE], parts.get(PREDICTIONS))


async def _parts(pieces: AsyncIterator[bytes], boundary: str) -> dict[str, bytes]:
    """Return the parts of a form by their names; each may come once."""
    parts: dict[str, bytes] = {}
    name, held, size = "", list[bytes](), 0
    try:
        with PushMultipartParser(boundary, max_segment_count=len(_LIMITS) + 1) as parser:
            async for piece in pieces:
                for event in parser.parse(piece):
                    if isinstance(event, MultipartSegment):
                        name, held, size = _name_of(event, parts), [], 0
                    elif event is None:
                        parts[name] = b"".join(held)
                    else:
                        size += len(event)
                        if size > _LIMITS[name]:
                            raise _too_large(f"the part {name}", _LIMITS[name])
                        held.append(bytes(event))
    except ParserLimitReached as error:
        raise HTTPException(_TOO_LARGE, f"cannot read the form: {error}") from None
    except (MultipartError, ValueError) as error:
        text = f"cannot read the form: it is not whole: {printable(error)}"
        raise HTTPException(_INVALID, text) from None
    return parts


def _name_of(part: MultipartSegment, parts: dict[str, bytes]) -> str:
    name = part.name or ""
    if name not in _LIMITS:
        raise HTTPException(
            _INVALID,
            f"cannot read the form: the part '{printable(name, 64)}' is unknown; allowed are "
            f"{' and '.join(_LIMITS)}",
        )
    if name in parts:
        raise HTTPException(_INVALID, f"cannot read the form: the part {name} is there twice")
    return name


async def _bounded(request: Request, most: int) -> AsyncIterator[bytes]:
    """Yield the pieces of a body that may not state its length."""
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise _too_large("the body", most)
        if piece:
            yield piece


def _check_length(request: Request, most: int) -> None:
    """Refuse a body that is too large before it is sent."""
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > most:
        raise _too_large("the body", most)


def _too_large(what: str, most: int) -> HTTPException:
    return HTTPException(
        _TOO_LARGE,
        f"cannot take the frame: {what} has more than {most} bytes; send a smaller one",
        {"Connection": "close"},  # else what is still sent would be read and thrown away
    )
