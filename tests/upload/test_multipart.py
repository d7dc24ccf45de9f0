"""Forms of several parts, read back by another library."""

from io import BytesIO

import multipart
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.upload.http.multipart import form


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_are_read_back_as_they_were(record: bytes, image: bytes) -> None:
    body, content_type = form(
        {
            "record": (None, record, "application/json"),
            "image": ("a.jpg", image, "image/jpeg"),
        }
    )
    _, options = multipart.parse_options_header(content_type)
    parsed = list(multipart.MultipartParser(BytesIO(body), options["boundary"], strict=True))

    assert [part.name for part in parsed] == ["record", "image"]
    assert [part.raw for part in parsed] == [record, image]
    assert [part.filename for part in parsed] == [None, "a.jpg"]
    assert [part.content_type for part in parsed] == ["application/json", "image/jpeg"]


@pytest.mark.parametrize("name", ['a"b', "a\r\nX-Header: 1"])
def test_a_name_cannot_leave_its_place(name: str) -> None:
    body, _ = form({name: (name, b"", "text/plain")})
    head = body.partition(b"\r\n\r\n")[0].split(b"\r\n")

    assert len(head) == 3
    assert head[1].count(b'"') == 4


def test_no_two_forms_have_the_same_boundary() -> None:
    assert form({})[1] != form({})[1]
