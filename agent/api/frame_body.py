"""Reads the body of a pushed frame piece by piece as it arrives; `Guard` bounds it as a whole."""

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
from agent.web.limits import LIMITS

PREDICTIONS_BYTES = 1_000_000
"""Of the predictions of one frame."""

IMAGE, PREDICTIONS = "image", "predictions"
IMAGE_TYPES = ("image/jpeg", "image/png")

_FORM = "multipart/form-data"
_LIMITS = {IMAGE: LIMITS.image_bytes, PREDICTIONS: PREDICTIONS_BYTES}
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
        return FrameBody(b"".join([piece async for piece in request.stream()]), None)
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
    parts = await _parts(request.stream(), options["boundary"])
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
                for event in parser.parse(piece) if piece else ():
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


def _too_large(what: str, most: int) -> HTTPException:
    # The connection stays, so that a client that still sends reads the answer; `Guard` has the
    # limit of the whole body.
    return HTTPException(
        _TOO_LARGE, f"cannot take the frame: {what} has more than {most} bytes; send a smaller one"
    )
