"""The record file is complete or raises `DamagedRecord`; its name has what the index needs."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Lane, SpoolEntry
from agent.errors import DamagedRecord
from agent.record import file_format as record
from agent.record.file_format import HEADER_BYTES, file_name, occupied_bytes
from agent.record.validation import split_clip
from tests.fakes.captures import capture_id, clip_field, record_of

_FILE = record.encode(record_of(1, b"image"), b"image")
_WITH_CLIP = record.encode(
    record_of(1, b"image", clip=clip_field(b"first", b"second")), b"image", b"firstsecond"
)
_FILES = pytest.mark.parametrize("file", [_FILE, _WITH_CLIP], ids=["without clip", "with clip"])

_json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_entries = st.builds(
    SpoolEntry,
    id=st.uuids().map(str),
    lane=st.sampled_from(Lane),
    value=st.integers(0, 999_999).map(lambda thousandths: thousandths / 1000),
    sequence=st.integers(0, 10**12 - 1),
    size=st.integers(0, 2**40),
)


@given(
    fields=st.dictionaries(st.text().map("x".__add__), _json_values, max_size=5),
    image=st.binary(max_size=200),
)
def test_a_record_file_is_decoded_as_it_was_encoded(fields: dict[str, Any], image: bytes) -> None:
    made = record_of(1, image, **fields)

    capture = record.decode(record.encode(made, image))

    assert capture.id == capture_id(1)
    assert capture.image == image
    assert capture.record == made
    assert json.loads(capture.record_json) == capture.record


def test_the_clip_is_decoded_as_it_was_encoded_frame_by_frame() -> None:
    capture = record.decode(_WITH_CLIP)

    assert (capture.image, capture.clip) == (b"image", b"firstsecond")
    assert split_clip(capture.record, capture.clip) == [(-0.2, b"first"), (0.0, b"second")]
    assert record.reweighted(capture, 0.5).clip == capture.clip


@pytest.mark.parametrize(
    ("clip", "field"),
    [
        (b"", clip_field(b"one")),
        (b"one", None),
        (b"two", clip_field(b"one")),
        (b"one", clip_field(b"one") | {"bytes": 4}),
        (b"one", clip_field(b"one") | {"frames": []}),
        (b"one", clip_field(b"one") | {"frames": [{"at": 0.0, "bytes": -3}]}),
        (b"onetwo", clip_field(b"one", b"two") | {"frames": [{"at": 1, "bytes": 3}] * 1}),
        (
            b"onetwo",
            clip_field(b"one", b"two") | {"frames": [{"at": 1, "bytes": 3}, {"at": 0, "bytes": 3}]},
        ),
        (b"one", clip_field(b"one") | {"width": 0}),
        (b"one", "a text"),
    ],
)
def test_a_clip_that_its_record_does_not_describe_is_refused(clip: bytes, field: object) -> None:
    with pytest.raises(ValueError, match="clip"):
        record.encode(record_of(1, b"image", clip=field), b"image", clip)


@_FILES
def test_a_record_file_cut_short_anywhere_is_damaged(file: bytes) -> None:
    for length in range(len(file)):
        with pytest.raises(DamagedRecord):
            record.decode(file[:length])


@_FILES
def test_a_record_file_with_extra_bytes_is_damaged(file: bytes) -> None:
    with pytest.raises(DamagedRecord):
        record.decode(file + b"\0")


@_FILES
def test_a_record_file_with_one_flipped_bit_anywhere_is_damaged(file: bytes) -> None:
    for bit in range(8 * len(file)):
        data = bytearray(file)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedRecord):
            record.decode(bytes(data))


@_FILES
def test_bytes_that_move_between_record_and_image_are_damage(file: bytes) -> None:
    """The sum of the lengths stays correct, so only the checksum detects it."""
    data = bytearray(file)
    data[11] -= 1
    data[19] += 1

    with pytest.raises(DamagedRecord, match="checksum"):
        record.decode(bytes(data))


@given(data=st.binary(max_size=200), magic=st.sampled_from([b"", b"ECAPREC1", b"ECAPREC2"]))
def test_any_other_bytes_raise_only_damaged_record(data: bytes, magic: bytes) -> None:
    with pytest.raises(DamagedRecord):
        record.decode(magic + data)


@_FILES
def test_the_header_alone_shows_that_a_file_is_truncated(file: bytes) -> None:
    for length in range(len(file)):
        assert not record.has_whole_length(file[: min(length, HEADER_BYTES)], length)


@_FILES
def test_the_header_alone_shows_that_a_file_is_complete(file: bytes) -> None:
    assert record.has_whole_length(file[:HEADER_BYTES], len(file))


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        record.encode(record_of(1, b"", value=float("nan")), b"")


@given(entry=_entries)
def test_a_file_name_is_parsed_as_the_same_entry(entry: SpoolEntry) -> None:
    assert record.parse_name(file_name(entry), entry.size) == entry


@given(name=st.from_regex(record._NAME.pattern, fullmatch=True))
def test_a_parsed_name_is_the_only_name_of_its_entry(name: str) -> None:
    found = record.parse_name(name, 0)

    assert found is not None
    assert file_name(found) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "cache.db",
        "s0500-000000000001-00000000-0000-7000-8000-000000000000.capture.tmp",
        "s500-000000000001-00000000-0000-7000-8000-000000000000.capture",
        "s01500-000000000001-00000000-0000-7000-8000-000000000000.capture",
        "s1000000-000000000001-00000000-0000-7000-8000-000000000000.capture",
        "x0500-000000000001-00000000-0000-7000-8000-000000000000.capture",
        "s0500-00000000001-00000000-0000-7000-8000-000000000000.capture",
        "s0500-00000000000\u0661-00000000-0000-7000-8000-000000000000.capture",
        "s0500-000000000001-00000000-0000-7000-8000-00000000000G.capture",
        "s0500-000000000001-00000000-0000-7000-8000-000000000000.capture\n",
    ],
)
def test_a_foreign_name_is_no_entry(name: str) -> None:
    assert record.parse_name(name, 10_000) is None


@pytest.mark.parametrize(
    ("value", "digits", "read"),
    [
        (0.0, "0000", 0.0),
        (0.75, "0750", 0.75),  # as older versions wrote it, whose values ended at 1
        (1.0, "1000", 1.0),
        (12.3456, "12346", 12.346),
        (999.999, "999999", 999.999),
        (5000.0, "999999", 999.999),
    ],
)
def test_a_name_holds_the_value_in_thousandths(value: float, digits: str, read: float) -> None:
    name = file_name(SpoolEntry(capture_id(1), Lane.SCORE, value, 1, 10))
    found = record.parse_name(name, 10)

    assert name == f"s{digits}-000000000001-{capture_id(1)}.capture"
    assert found is not None
    assert found.value == read


@pytest.mark.parametrize(
    ("size", "occupied"), [(0, 0), (1, 4096), (4096, 4096), (4097, 8192), (100_000, 102_400)]
)
def test_a_file_occupies_whole_blocks(size: int, occupied: int) -> None:
    assert occupied_bytes(SpoolEntry("a", Lane.SCORE, 0.5, 1, size)) == occupied


def test_the_weight_is_divided_by_the_inclusion_probability() -> None:
    fields = record_of(1, b"x", sampling={"slot_seconds": 900.0, "weight": 900.0})

    capture = record.reweighted(record.decode(record.encode(fields, b"x")), 0.5)

    assert capture.record["sampling"] == {"slot_seconds": 900.0, "weight": 1800.0}
    assert json.loads(capture.record_json) == capture.record
    assert capture.image == b"x"


@pytest.mark.parametrize(("sampling", "probability"), [(None, 0.5), ({"weight": 900.0}, 1.0)])
def test_nothing_else_is_reweighted(sampling: dict[str, float] | None, probability: float) -> None:
    capture = record.decode(record.encode(record_of(1, b"x", sampling=sampling), b"x"))

    assert record.reweighted(capture, probability) is capture


@pytest.mark.parametrize(("number", "sequence"), [(2, 7), (1, 8)])
def test_a_file_of_another_capture_is_damaged(number: int, sequence: int) -> None:
    data = record.encode(record_of(number, b"x", sequence=sequence), b"x")
    entry = SpoolEntry(capture_id(1), Lane.SCORE, 0.5, 7, len(data))

    with pytest.raises(DamagedRecord, match="it holds the capture"):
        record.decode_as(entry, data)


def test_a_lone_surrogate_in_a_text_becomes_a_question_mark() -> None:
    data = record.encode(record_of(1, b"x", device="gate\udcff"), b"x")

    assert record.decode(data).record["device"] == "gate?"
