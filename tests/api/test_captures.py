"""`/v1/captures` and `/v1/verdicts` over HTTP: what is answered, and what is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import RequestRefused
from agent.runtime.application import Application
from agent.spool.spool import Spool
from agent.web.json_body import JsonField, fields_of
from tests.fakes.api import ApiClient, Serve
from tests.fakes.captures import capture_id
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.asked_agent import AskedAgent

FIELDS = (JsonField("camera", required=True), JsonField("at", number=True), JsonField("note"))


@pytest.fixture
def agent(spool: Spool, clock: ManualClock, log: Recorder) -> AskedAgent:
    made = AskedAgent(spool, clock, log)
    made.play(30)
    return made


@pytest.fixture
def client(application: Application, agent: AskedAgent, serve: Serve) -> ApiClient:
    doors = replace(application, captures=agent.captures, verdicts=agent.verdicts)
    return serve(doors).unix


def test_a_capture_is_asked_for_and_followed(client: ApiClient, agent: AskedAgent) -> None:
    response = client.post("/v1/captures", {"camera": "gate", "at": -3, "note": "look"})

    name = response.json["id"]
    assert (response.status, response.json) == (202, {"id": name})
    assert response.headers["Location"] == f"/v1/captures/{name}"
    assert client.get(f"/v1/captures/{name}").json["state"] == "requested"
    agent.work()
    state = client.get(f"/v1/captures/{name}").json
    assert (state["state"], state["lane"], state["note"]) == ("waiting", "requested", "look")
    assert client.get("/v1/captures").json == {"captures": [state]}


def test_a_verdict_is_answered_with_its_line(client: ApiClient, agent: AskedAgent) -> None:
    said = {"camera": "gate", "at": "-1s", "verdict": "wrong", "by": "Ann"}
    response = client.post("/v1/verdicts", said)

    assert response.status == 202
    assert response.json["verdict"] == "wrong"
    agent.work()
    name = response.json["id"]
    assert client.get(f"/v1/captures/{name}").json["lane"] == "verdict"
    assert client.post("/v1/verdicts", {"capture": name, "verdict": "right"}).json["id"] == name


def test_what_cannot_be_done_is_refused_with_the_reason(client: ApiClient) -> None:
    refused: list[tuple[dict[str, Any], int, str]] = [
        ({"camera": "yrad"}, 404, "there is no camera 'yrad'; the cameras are gate, yard"),
        ({"camera": "yard"}, 503, "cannot find a frame of yard: none was analysed yet"),
        ({"camera": "gate", "at": "-11s"}, 410, "the frame of 11 s ago is gone"),
        ({"camera": "gate", "at": "soon"}, 400, "cannot read the time 'soon'"),
        ({}, 400, "camera: is missing"),
        ({"camera": None, "at": 1}, 400, "camera: is missing"),
        ({"camera": "gate", "at": True}, 400, "at: must be a text or a number, not true or false"),
        ({"camera": ["gate"]}, 400, "camera: must be a text, not a list"),
        ({"camera": "gate", "nots": "x"}, 400, "nots: unknown; did you mean note?"),
        ({"cam": 1, "at": {}}, 400, "; "),
    ]
    for body, status, why in refused:
        response = client.post("/v1/captures", body)
        assert response.status == status, body
        assert why in response.error
    assert client.get(f"/v1/captures/{capture_id(1)}").status == 404
    assert client.get("/v1/captures/%00%1b").status == 404


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is empty. Send a JSON object with camera, at?, note?"),
        (b"camera=gate", "it is not JSON"),
        (b"[1]", "it is a list"),
        (b"null", "it is null"),
        (b'"gate"', "it is a text"),
        (b'{"camera": NaN}', "NaN is no number of JSON"),
        (b'{"camera": "gate", "camera": "yard"}', "the field 'camera' is there twice"),
        (b"\xff\xfe\x00", "it is not UTF-8: byte 1 is no text"),
        (b'{"camera": "\xe9"}', "it is not UTF-8: byte 13 is no text"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"at": 1' + b"0" * 5000 + b"}", "a number has 5001 digits, at most 400 are read"),
    ],
)
def test_a_body_that_is_no_object_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(RequestRefused) as refusal:
        fields_of(body, FIELDS)
    assert why in str(refusal.value)


MANY = b",".join(b'"%d": 0' % number for number in range(90_000))


def test_a_body_of_many_fields_is_refused_without_much_work() -> None:
    """With work for each pair of fields one such call would take minutes."""
    with pytest.raises(RequestRefused, match=r"the field '5' is there twice\."):
        fields_of(b'{%b, "5": 0}' % MANY, FIELDS)
    with pytest.raises(RequestRefused) as refusal:
        fields_of(b"{%b}" % MANY, FIELDS)
    assert "9: unknown; the fields are camera, at, note; 89990 more fields" in str(refusal.value)
    assert len(str(refusal.value)) < 1000


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_body_is_fields_or_a_refusal(body: bytes) -> None:
    try:
        found = fields_of(body, FIELDS)
    except RequestRefused as refusal:
        assert str(refusal).isprintable()  # noqa: PT017
    else:
        assert "camera" in found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["camera", "at", "note", "other"]), JSON))
def test_what_is_accepted_has_the_kinds_that_it_should(body: dict[str, Any]) -> None:
    try:
        found = fields_of(json.dumps(body).encode(), FIELDS)
    except RequestRefused:
        return
    assert isinstance(found["camera"], str)
    assert isinstance(found.get("note", ""), str)
    assert isinstance(found.get("at", ""), str | int | float)
    assert not isinstance(found.get("at"), bool)
