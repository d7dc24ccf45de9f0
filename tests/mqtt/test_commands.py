"""What a message on a command topic asks for, no matter who wrote it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import RefusalKind, RequestRefused
from agent.mqtt.commands import BURST, COMMAND_BYTES, REFILL_S, Command, RateLimit, commands_of

CAMERAS = ("gate", "yard")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("data", "named", "commands"),
    [
        (b"", "", [Command("gate"), Command("yard")]),
        (b" PRESS\n", "", [Command("gate"), Command("yard")]),
        (b"", "yard", [Command("yard")]),
        (b"PRESS", "yard", [Command("yard")]),
        (b"yard", "", [Command("yard")]),
        (b"yard", "yard", [Command("yard")]),
        (b'{"note": "x"}', "", [Command("gate", note="x"), Command("yard", note="x")]),
        (b'{"camera": "gate", "at": "-3s"}', "", [Command("gate", "-3s")]),
        (b'{"at": 2.5}', "gate", [Command("gate", 2.5)]),
    ],
)
def test_a_command_is_understood(data: bytes, named: str, commands: list[Command]) -> None:
    assert commands_of(data, named, CAMERAS) == commands


@pytest.mark.parametrize(
    ("data", "named", "kind", "why"),
    [
        (b"\xff", "", RefusalKind.INVALID, "not UTF-8"),
        (b"x" * (COMMAND_BYTES + 1), "", RefusalKind.INVALID, "more than 4096"),
        (b"{", "", RefusalKind.INVALID, "no JSON"),
        (b'{"a":' * 800, "", RefusalKind.INVALID, "no JSON"),
        (b'{"at": NaN}', "", RefusalKind.INVALID, "no JSON"),
        (b'{"at": 1e999}', "", RefusalKind.INVALID, "at must be a time"),
        (b'{"at": true}', "", RefusalKind.INVALID, "at must be a time"),
        (b'{"at": 1' + b"0" * 400 + b"}", "", RefusalKind.INVALID, "at must be a time"),
        (b'{"at": [1]}', "", RefusalKind.INVALID, "at must be a time"),
        (b'{"camera": 1}', "", RefusalKind.INVALID, "camera must be a name"),
        (b'{"note": 1}', "", RefusalKind.INVALID, "note must be a text"),
        (b'{"when": 1}', "", RefusalKind.INVALID, 'it has the field "when"; allowed are at,'),
        (b"[]", "", RefusalKind.UNKNOWN, "Allowed are nothing, PRESS"),
        (b"OFF", "", RefusalKind.UNKNOWN, "there is no camera OFF; the cameras are gate, yard"),
        (b"gate", "yard", RefusalKind.INVALID, "the topic names camera yard, the payload gate"),
    ],
)
def test_what_is_refused_says_why(data: bytes, named: str, kind: RefusalKind, why: str) -> None:
    with pytest.raises(RequestRefused) as raised:
        commands_of(data, named, CAMERAS)

    assert raised.value.kind is kind
    assert why in str(raised.value)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_payload_is_a_command_or_is_refused(data: bytes) -> None:
    message, commands = "", []
    try:
        commands = commands_of(data, "", CAMERAS)
    except RequestRefused as error:
        message = str(error)
    assert {each.camera for each in commands} <= set(CAMERAS)
    assert message.isprintable()
    assert len(message) < 500


def test_a_burst_is_taken_and_then_one_at_a_time() -> None:
    limit = RateLimit(CAMERAS)
    for _ in range(BURST):
        limit.take("gate", 100.0)
    with pytest.raises(RequestRefused):
        limit.take("gate", 100.0)
    limit.take("yard", 100.0)  # has its own

    limit.take("gate", 100.0 + REFILL_S)
    with pytest.raises(RequestRefused):
        limit.take("gate", 100.0 + REFILL_S)
