"""Records that another program planted: refused with a reason, or safe for all that reads them."""

import copy
import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import StoredCapture, Verdict, VerdictKind
from agent.errors import DamagedRecord
from agent.record import file_format as record
from agent.record import shapes, summary
from agent.record.summary import Annotate
from agent.record.validation import DEEPEST, LONGEST, check_clip, split_clip
from agent.record.verdicts import (
    LONGEST_BY,
    LONGEST_NOTE,
    MOST_VERDICTS,
    clean_text,
    is_verdict,
    line_text,
    verdict_line,
    verdicts_of,
)
from tests.fakes.captures import (
    capture_id,
    classified,
    clip_field,
    of_first_schema,
    record_of,
    stored_capture,
)
from tests.search import examples

IMAGE = b"\xff\xd8 image \xff\xd9"
CLIP = (b"\xff\xd8 one \xff\xd9", b"\xff\xd8 two \xff\xd9")
WHOLE = record_of(
    1,
    IMAGE,
    sequence=1,
    sampling={"slot_seconds": 60.0, "weight": 60.0},
    clip=clip_field(*CLIP),
    note="a person asked",
    verdicts=[
        {
            "id": capture_id(1),
            "camera": "gate",
            "moment": "2026-05-28T20:26:40.000Z",
            "at": "2026-05-28T20:26:43.000Z",
            "by": "ann",
            "verdict": "unobjected",
            "note": "shown for 60 s",
            "inclusion_probability": 0.25,
        }
    ],
)
VERDICT = WHOLE["verdicts"][0]


def _file(text: bytes, image: bytes = IMAGE, clip: bytes = b"".join(CLIP)) -> bytes:
    """Return a record file whose checksum is right, whatever its record is."""
    sizes = len(text), len(image), len(clip)
    lengths = record._CLIP_LENGTHS.pack(record._CLIP_MAGIC, *sizes)
    return b"".join((lengths, record._digest(lengths, text, image, clip), text, image, clip))


def _readers(capture: StoredCapture) -> Iterator[Callable[[], object]]:
    """Everything that targets and commands ask of a record."""
    made = capture.record
    yield lambda: summary.flat(made)
    yield lambda: summary.rule_names(made)
    yield lambda: summary.capture_day(made)
    yield lambda: capture.image_sha256
    yield lambda: record.reweighted(capture, 0.5)
    yield lambda: [line_text(line).encode() for line in verdicts_of(made)]
    yield lambda: (shapes.task_of(made), shapes.keypoint_count(made))
    yield lambda: record.decode(record.encode(made, capture.image, capture.clip))
    yield lambda: split_clip(made, capture.clip)
    for which in Annotate:
        yield lambda which=which: summary.labels_of(made, which)  # type: ignore[misc]
        yield lambda which=which: summary.class_of(made, which)  # type: ignore[misc]


def _check(data: bytes) -> bool:
    """Decode a file; return whether it was a record, which then harms no reader."""
    refusal = ""
    try:
        capture = record.decode(data)
    except DamagedRecord as error:
        refusal = str(error)
    if refusal:
        assert len(refusal) < 300
        assert refusal.isprintable()
        return False
    for read in _readers(capture):
        with suppress(ValueError):  # of a record without what an endpoint wants
            read()
    return True


_hostile = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["\ud800", "\x1b[31m", "\0", "9" * 5000, "NaN", {}, [], [[]]]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def _paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for name, inner in items:
        yield from _paths(inner, (*path, name))


PATHS = sorted((path for path in _paths(WHOLE) if path), key=str)


@given(path=st.sampled_from(PATHS), value=_hostile, removed=st.booleans())
@settings(max_examples=examples(500))
def test_a_record_with_one_hostile_field_is_refused_or_harms_no_reader(
    path: tuple[Any, ...], value: object, removed: bool
) -> None:
    made: Any = copy.deepcopy(WHOLE)
    inner = made
    for name in path[:-1]:
        inner = inner[name]
    if removed:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value

    _check(_file(json.dumps(made).encode()))


@given(
    path=st.sampled_from([path for path in PATHS if path[0] == "clip"]),
    value=_hostile | st.sampled_from([float("nan"), float("inf"), 10**400, -(10**400)]),
)
@settings(max_examples=examples(200))
def test_a_clip_from_the_network_with_one_hostile_field_is_refused_or_split(
    path: tuple[Any, ...], value: object
) -> None:
    """Its record is no record file's: nothing has looked at its numbers before."""
    made: Any = copy.deepcopy(WHOLE)
    inner = made
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    clip = b"".join(CLIP)
    with suppress(ValueError):
        check_clip(made, clip)
        assert b"".join(image for _, image in split_clip(made, clip)) == clip


@given(text=st.binary(max_size=200) | st.text().map(lambda text: json.dumps(text).encode()))
@settings(max_examples=examples(300))
def test_any_other_text_is_refused(text: bytes) -> None:
    assert not _check(_file(text))


@given(value=_hostile)
@settings(max_examples=examples(300))
def test_any_other_json_is_refused(value: object) -> None:
    assert not _check(_file(json.dumps(value).encode()))


def _with(field: str, text: str) -> bytes:
    return json.dumps(WHOLE)[:-1].encode() + f', "{field}": {text}}}'.encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"null", "not a JSON object"),
        (b"{}", "`id`"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "too deeply"),
        (_with("x", "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)), "levels deep"),
        (_with("x", "1e999"), "too large"),
        (_with("x", "-1e999"), "too large"),
        (_with("x", "NaN"), "not valid JSON"),
        (_with("x", "Infinity"), "not valid JSON"),
        (_with("x", str(2**63)), "64 bits"),
        (_with("x", "9" * 5000), "not valid JSON"),
        (_with("x", '"\\ud800"'), "surrogate"),
        (_with("x", "1") + b" " * LONGEST, "more than"),
        (_with("id", '"../../etc/passwd"'), "`id`"),
        (_with("id", '"0194E3B0-0000-7000-8000-000000000000"'), "`id`"),
        (_with("image", "{}"), "`image`"),
        (_with("image", '{"sha256": "0"}'), "sha256"),
        (_with("detections", '[{"label": "a"}]'), "`detections`"),
        (
            _with("detections", '[{"label": "a", "confidence": 1, "box": [1, 2, 3]}]'),
            "`detections`",
        ),
        (_with("sampling", '{"weight": "1"}'), "`sampling`"),
        (_with("sequence", "-1"), "`sequence`"),
        (_with("sequence", "true"), "`sequence`"),
        (_with("rules", "[1]"), "`rules`"),
        (_with("thresholds", '{"labels": {"a": "b"}}'), "`thresholds`"),
        (_with("note", "1"), "`note`"),
        (_with("note", json.dumps("n" * (LONGEST_NOTE + 1))), "`note`"),
        (_with("verdicts", "{}"), "`verdicts`"),
        (_with("verdicts", "[null]"), "`verdicts`"),
        (_with("verdicts", json.dumps([VERDICT] * (MOST_VERDICTS + 1))), "`verdicts`"),
    ],
)
def test_the_reason_is_said(text: bytes, reason: str) -> None:
    with pytest.raises(DamagedRecord, match=reason):
        record.decode(_file(text))


@pytest.mark.parametrize(
    "capture", [stored_capture(1), of_first_schema(2), classified(3, ("a cat", 0.9))]
)
def test_records_of_each_version_and_task_are_read(capture: StoredCapture) -> None:
    assert _check(_file(capture.record_json, capture.image, b""))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../etc/passwd"},
        {"id": 1},
        {"camera": None},
        {"camera": "gate\x1b[31m"},
        {"moment": "yesterday"},
        {"moment": "2026-02-31T00:00:00Z"},
        {"at": 1.5},
        {"at": "2026-05-28T20:26:43"},
        {"by": ["ann"]},
        {"by": "b" * (LONGEST_BY + 1)},
        {"verdict": "perfect"},
        {"verdict": ["right"]},
        {"verdict": None},
        {"note": "two\u2028lines"},
        {"note": "\ud800"},
        {"note": {}},
        {"inclusion_probability": 0},
        {"inclusion_probability": 1.5},
        {"inclusion_probability": True},
        {"inclusion_probability": "1"},
        {"inclusion_probability": float("nan")},
    ],
)
def test_what_is_no_verdict_is_told_apart(change: dict[str, Any]) -> None:
    assert is_verdict(VERDICT)
    assert not is_verdict({**VERDICT, **change})


@given(
    note=st.text(st.characters(), max_size=9).map(lambda text: text * 150),
    by=st.text(st.characters(), max_size=9).map(lambda text: text * 30),
    number=st.floats(0, 4e9),
)
def test_whatever_a_person_writes_becomes_a_valid_verdict(
    note: str, by: str, number: float
) -> None:
    line = verdict_line(Verdict(VerdictKind.WRONG, "gate", number, number, "", by, note))

    assert is_verdict(line)
    assert json.loads(line_text(line).encode()) == line
    assert clean_text(clean_text(note, LONGEST_NOTE), LONGEST_NOTE) == clean_text(
        note, LONGEST_NOTE
    )


def test_a_line_has_the_known_fields_alone_in_one_order() -> None:
    shuffled = dict(reversed([*VERDICT.items(), ("shell", "rm -rf /"), ("boxes", [[]])]))

    assert line_text(shuffled) == line_text(VERDICT)
    assert json.loads(line_text(VERDICT)) == VERDICT


def test_fields_of_newer_versions_stay() -> None:
    data = _file(_with("newer", '{"any": [1, "text"]}'))

    assert record.decode(data).record["newer"] == {"any": [1, "text"]}


@pytest.mark.slow
@pytest.mark.parametrize("filler", ["[],", "{},", "1e9,", '"a",', '"\U0001f600",', "[[[[]]]],"])
def test_the_memory_for_a_hostile_record_is_bounded(filler: str) -> None:
    count = (LONGEST - 100) // len(filler.encode())
    data = _file(b'{"a":[' + filler.encode() * count + b"1]}")
    tracemalloc.start()
    try:
        assert not _check(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 40 * LONGEST
