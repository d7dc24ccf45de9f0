"""Reads the fields of messages in the wire format of protocol buffers, without their schema.

The reader of protocol buffers in C++ accepts keys of up to five bytes and drops the bits above 32,
so a key could look different here: keys that are not written in the shortest form, or have more
bits, make the file unreadable. No exporter writes them.

Source: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

KEY_LIMIT = 2**32

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def messages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of each length-delimited field; raises `ValueError`."""
    for number, kind, content in fields(message):
        if kind == _BYTES:
            yield number, content


def fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield number, wire type and content of each field.

    The content of a number is its bytes as written.

    Raises:
        ValueError: The message is damaged, or is none.
    """
    position = 0
    while position < len(message):
        begin = position
        key, position = varint(message, position)
        if not 1 <= key >> 3 < KEY_LIMIT >> 3 or position - begin > max(
            1, -(-key.bit_length() // 7)
        ):
            raise ValueError("a key in another form than protocol buffers write it")
        kind = key & 7
        begin = position
        if kind == _VARINT:
            _, position = varint(message, position)
        elif kind == _FIXED64:
            position += 8
        elif kind == _FIXED32:
            position += 4
        elif kind == _BYTES:
            length, begin = varint(message, position)
            position = begin + length
            if position > len(message):
                raise ValueError("cut short")
        else:
            raise ValueError("unknown wire type")
        yield key >> 3, kind, message[begin:position]


def varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return a number of up to ten bytes and the position after it."""
    number = 0
    for index in range(10):
        if position + index >= len(message):
            raise ValueError("cut short")
        byte = message[position + index]
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004  # the last byte has no continuation bit
            return number, position + index + 1
    raise ValueError("a varint of more than ten bytes")
