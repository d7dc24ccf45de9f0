"""What is sent, when, and how much of it waits."""

import json

import pytest

from agent.domain import Observation
from agent.exchange.state import CameraState
from agent.mqtt import discovery
from agent.mqtt.publisher import CAPTURES_MAX, COUNTS_S, Outgoing, Plan, Publisher
from agent.mqtt.topics import Topics
from tests.fakes.captures import capture, detection, frame
from tests.mqtt.door import THRESHOLDS, AskedCaptures, StateOfTest, application_of

ROOT = "capture-agent/gate-07"
COUNTS = f"{ROOT}/cameras/gate/counts"


@pytest.fixture
def live() -> StateOfTest:
    return StateOfTest()


@pytest.fixture
def publisher(live: StateOfTest) -> Publisher:
    plan = Plan(Topics("capture-agent", "gate-07"), "homeassistant", THRESHOLDS, has_budget=True)
    made = Publisher(plan, application_of(live, AskedCaptures(), "gate"), version="1.2.3")
    made.begin()
    return made


def sent(publisher: Publisher, now: float, *, at_most: int = 1000) -> list[Outgoing]:
    """Look, and send to a broker that takes so many."""
    publisher.look(now)
    found = list(publisher.due())[:at_most]
    for each in found:
        publisher.told(each, now)
    return found


def topics(found: list[Outgoing]) -> list[str]:
    return [each.topic for each in found]


def test_a_device_is_online_only_after_all_else_was_told(publisher: Publisher) -> None:
    found = topics(sent(publisher, 0.0))

    assert found[-1] == f"{ROOT}/availability"
    assert found[0].startswith("homeassistant/")
    assert sent(publisher, 1.0) == []


def test_what_the_broker_does_not_take_now_is_sent_later_as_it_is_then(
    publisher: Publisher, live: StateOfTest
) -> None:
    first = sent(publisher, 0.0, at_most=3)
    live.set_cameras(CameraState("gate", "lost"))
    rest = sent(publisher, 1.0)

    assert not set(topics(first)) & set(topics(rest))
    assert next(each for each in rest if each.topic.endswith("gate/state")).payload == b"lost"


def test_counts_are_told_seldom(publisher: Publisher, live: StateOfTest) -> None:
    assert COUNTS in topics(sent(publisher, 0.0))
    live.frame_count = 200
    assert sent(publisher, COUNTS_S - 1) == []

    assert topics(sent(publisher, COUNTS_S)) == [COUNTS]


def test_a_new_connection_is_told_everything(publisher: Publisher) -> None:
    before = topics(sent(publisher, 0.0))

    publisher.begin()

    assert topics(sent(publisher, 1.0)) == before


def test_only_what_reaches_the_threshold_counts_as_seen(publisher: Publisher) -> None:
    sent(publisher, 0.0)
    found = (detection(0.9), detection(0.8, "person"), detection(0.6), detection(0.3))
    publisher.analysed(Observation(frame(0.0), found))

    [message] = sent(publisher, 1.0)

    assert message.topic == f"{ROOT}/cameras/gate/detections"
    assert json.loads(message.payload) == {"total": 3, "labels": {"car": 2, "person": 1}}


def test_captures_wait_in_a_bound_and_the_rest_is_counted(publisher: Publisher) -> None:
    for number in range(CAPTURES_MAX + 7):
        publisher.captured(capture(number))

    found = sent(publisher, 0.0)

    assert topics(found).count(f"{ROOT}/captures") == CAPTURES_MAX
    state = next(each for each in found if each.topic == f"{ROOT}/state")
    assert json.loads(state.payload)["captures_dropped"] == 7
    counts = next(each for each in found if each.topic == COUNTS)
    assert json.loads(counts.payload)["captured"] == CAPTURES_MAX + 7


def test_captures_without_a_connection_are_not_told_later(publisher: Publisher) -> None:
    publisher.captured(capture(1))
    publisher.end()
    publisher.captured(capture(2))
    publisher.begin()

    found = sent(publisher, 0.0)

    assert f"{ROOT}/captures" not in topics(found)
    state = next(each for each in found if each.topic == f"{ROOT}/state")
    assert json.loads(state.payload)["captures_dropped"] == 2


@pytest.mark.parametrize(
    ("topic", "payload", "is_removed"),
    [
        (f"{ROOT}/cameras/yard/state", b"live", True),
        (f"{ROOT}/cameras/gate/state", b"live", False),
        (f"{ROOT}/cameras/yard/mine", b"x", False),
        (f"{ROOT}/cameras/yard/state", b"", False),
        ("homeassistant/sensor/capture-agent_gate-07/a/config", b"{}", False),
        (
            "homeassistant/sensor/capture-agent_gate-07/a/config",
            b'{"origin": {"name": "capture-agent"}}',
            True,
        ),
    ],
)
def test_what_the_broker_kept_of_former_cameras_is_removed(
    publisher: Publisher, topic: str, payload: bytes, is_removed: bool
) -> None:
    sent(publisher, 0.0)

    publisher.found(topic, payload)

    assert sent(publisher, 1.0) == ([Outgoing(topic, b"")] if is_removed else [])


def test_without_the_look_at_its_origin_foreign_messages_would_go(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: the test above must fail with it."""
    monkeypatch.setattr(discovery, "is_ours", lambda config: True)
    sent(publisher, 0.0)

    publisher.found("homeassistant/sensor/capture-agent_gate-07/a/config", b"{}")

    assert sent(publisher, 1.0) != []
