"""The status of a device: what is sent is bounded and has no secret, what arrives is checked."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.record.device_status import (
    READ_MAX,
    STATUS_MAX,
    checked_status,
    encoded_status,
    is_older,
)
from agent.redaction import remember_secrets
from tests.record.device_statuses import ABOUT, camera_facts, status_facts
from tests.search import examples


@pytest.fixture
def secret() -> Iterator[str]:
    """A secret of the settings."""
    remember_secrets(["Xy7-hidden"])
    yield "Xy7-hidden"
    remember_secrets([])


def sent(**changed: Any) -> dict[str, Any]:
    """A whole status as a mapping."""
    found: dict[str, Any] = json.loads(encoded_status(status_facts(**changed), ABOUT))
    return found


def test_a_status_arrives_as_it_was_sent() -> None:
    found = checked_status(encoded_status(status_facts(), ABOUT))
    for name, value in {**status_facts(), **ABOUT}.items():
        if name != "daemon_pid":  # of no use elsewhere
            assert found[name] == value, name
    assert found["shortened"] == []
    assert found["received_at"] is None


def test_no_text_of_a_status_has_a_secret(secret: str) -> None:
    errors = [f"cannot open rtsp://admin:{secret}@10.0.0.9/live", f"401 for token={secret}"]
    found = sent(
        last_error=f"Bearer {secret}",
        needs=errors,
        cameras=[camera_facts("gate", error=errors[0])],
        feedback={"error": f"no file at /{secret}/x"},
        target=f"https://example.org/{secret}",
        mqtt_error=f"mqtt://user:{secret}@broker refuses",
    )
    assert secret not in json.dumps(found)
    assert found["cameras"][0]["name"] == "gate"


def test_a_secret_that_is_a_common_word_masks_no_state() -> None:
    """Otherwise nobody could read the status, nor the receiver accept it."""
    remember_secrets(["running", "gate-07", "2026-05-28"])
    try:
        found = checked_status(encoded_status(status_facts(), ABOUT))
    finally:
        remember_secrets([])
    assert (found["daemon"], found["device"], found["at"]) == ("running", "gate-07", ABOUT["at"])


@pytest.mark.parametrize("text", ["x" * 2000, "\x1b[31m" * 400, "\U000e0001" * 900])
def test_a_device_with_many_cameras_and_long_errors_is_shortened(text: str) -> None:
    cameras = [camera_facts(f"camera-{n}", error=text, state="lost") for n in range(300)]
    data = encoded_status(
        status_facts(
            cameras=cameras,
            needs=[text] * 100,
            last_error=text,
            stalled=[text] * 30,
            evicted_by_reason={f"{text[:200]}{n}": n for n in range(300)},
        ),
        ABOUT,
    )
    assert len(data) <= STATUS_MAX
    found = checked_status(data)
    assert {"cameras", "needs"} <= set(found["shortened"])
    assert found["waiting"] == 3
    assert found["model_sha256"] == status_facts()["model_sha256"]
    assert found["cameras"][0]["state"] == "lost"


def test_cameras_with_a_problem_are_kept_first() -> None:
    live = [camera_facts(f"camera-{n}", last_capture_id="x" * 600) for n in range(900)]
    found = sent(cameras=[*live, camera_facts("broken", state="lost")])
    assert found["cameras"][0]["name"] == "broken"
    assert "cameras" in found["shortened"]


@pytest.mark.parametrize("device", ["a\x1bb", "\udcff", "x" * 5000, "\u202egpj"])
def test_an_odd_name_of_a_device_is_sent_in_a_form_that_is_accepted(device: str) -> None:
    assert checked_status(encoded_status(status_facts(device=device), ABOUT))["device"]


def test_a_number_that_json_lacks_is_left_out() -> None:
    assert sent(hours_until_full=float("inf"))["hours_until_full"] is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"device": None}, "device"),
        ({"device": ""}, "device"),
        ({"device": "  "}, "device"),
        ({"device": "x" * 201}, "device"),
        ({"device": "a\nb"}, "device"),
        ({"device": 7}, "device"),
        ({"at": None}, "at"),
        ({"at": "yesterday"}, "at"),
        ({"at": "2026-05-28T09:14:07"}, "at"),
        ({"at": 12}, "at"),
        ({"schema": 0}, "schema"),
        ({"schema": True}, "schema"),
        ({"waiting": -1}, "waiting"),
        ({"waiting": 1.5}, "waiting"),
        ({"waiting": 10**30}, "waiting"),
        ({"waiting": "3"}, "waiting"),
        ({"since_boot_s": -1.0}, "since_boot_s"),
        ({"needs": "all"}, "needs"),
        ({"needs": [1]}, "needs"),
        ({"cameras": {}}, "cameras"),
        ({"cameras": [1]}, "cameras"),
        ({"cameras": [{"name": "a", "fps": "5"}]}, "cameras.fps"),
        ({"clock_synchronized": 1}, "clock_synchronized"),
        ({"evicted_by_reason": {"age": "x"}}, "evicted_by_reason"),
        ({"last_error": {"a": 1}}, "last_error"),
        ({"oldest_waiting": "9999-12-31T23:59:59"}, "oldest_waiting"),
    ],
)
def test_a_wrong_value_is_named(change: dict[str, Any], named: str) -> None:
    data = json.dumps({"schema": 1, **ABOUT, **status_facts(), **change}).encode()
    with pytest.raises(ValueError, match=f"`{named}`"):
        checked_status(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"schema": NaN}',
        b'{"schema": 1e999}',
        b'{"schema": ' + b"9" * 5000 + b"}",
        b'{"device": "a", "device": "b"}',
        b"\xff\xfe",
        b" " * (READ_MAX + 1),
    ],
)
def test_what_is_no_status_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(it|`|a )"):
        checked_status(data)


def test_infinite_and_deep_values_in_a_status_are_refused() -> None:
    whole = json.dumps({"schema": 1, **ABOUT, **status_facts()})[:-1]
    deep = "[" * 9 + "]" * 9
    for more in ('"best_value": 1e999', f'"unknown": {deep}'):
        with pytest.raises(ValueError, match=r"best_value|deeply"):
            checked_status(f"{whole}, {more}}}".encode())


def test_texts_that_arrive_have_no_control_characters() -> None:
    data = {"schema": 1, **ABOUT, **status_facts(last_error="a\x1b[2Jb\u202e", model="\ud800")}
    found = checked_status(json.dumps(data).encode())
    assert found["last_error"] == r"a\x1b[2Jb\u202e"
    assert found["model"].isprintable()


def test_of_one_boot_the_later_status_counts_whatever_the_clock_says() -> None:
    def status(boot: str, since: float, at: str) -> Any:
        about = {**ABOUT, "boot": boot, "since_boot_s": since, "at": at}
        return checked_status(encoded_status(status_facts(), about))

    later_by_a_clock_that_stepped_back = status("a", 20.0, "1970-01-01T00:00:20.000Z")
    first = status("a", 10.0, "2026-05-28T09:00:00.000Z")
    other_boot = status("b", 1.0, "1970-01-01T00:00:01.000Z")
    assert not is_older(later_by_a_clock_that_stepped_back, first)
    assert is_older(first, later_by_a_clock_that_stepped_back)
    assert not is_older(other_boot, first)
    assert not is_older(first, first)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=examples(60))
@given(name=st.sampled_from(sorted({**ABOUT, **status_facts()})), value=_JSON)
def test_any_value_is_taken_or_refused_with_its_name(name: str, value: Any) -> None:
    data = json.dumps({"schema": 1, **ABOUT, **status_facts(), name: value}).encode()
    try:
        found = checked_status(data)
    except ValueError as error:
        assert str(error)  # noqa: PT017 (either outcome is right)
    else:
        assert json.loads(json.dumps(found, allow_nan=False)) == found
