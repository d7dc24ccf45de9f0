"""What a real broker is told, and what it may ask."""

import json
import os
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import run

import pytest
import trustme

from agent.exchange.state import CameraState
from agent.mqtt import client, command_desk, commands, connection, publisher
from tests import ROOT as SOURCES
from tests.end_to_end.command import until
from tests.fakes.captures import capture
from tests.fakes.log import Recorder
from tests.mqtt.door import Door
from tests.mqtt.mosquitto import Mosquitto, Watcher, watching

ROOT = "capture-agent/gate-07"
MakeDoor = Callable[..., Door]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(connection, "FIRST_BOUND_S", 0.05)
    monkeypatch.setattr(connection, "LAST_RETRY_S", 0.2)
    monkeypatch.setattr(connection, "TICK_S", 0.05)


def online(watcher: Watcher) -> bool:
    return watcher.last(f"{ROOT}/availability") == b"online"


def test_the_broker_keeps_what_is_true(broker: Mosquitto, door: MakeDoor) -> None:
    made = door(broker.url)
    until(lambda: made.is_connected)

    with watching(broker) as late:
        late.wait_for(f"{ROOT}/availability", lambda payload: payload == b"online")
        state = json.loads(late.wait_for(f"{ROOT}/state"))
        assert (state["waiting"], state["delivered"], state["credits_left"]) == (3, 41, 2.0)
        assert late.wait_for(f"{ROOT}/cameras/gate/state") == b"live"
        counts = json.loads(late.wait_for(f"{ROOT}/cameras/gate/counts"))
        assert counts == {"frames": 100, "captured": 0, "fps": 5.0, "analysed_fps": 0.0}

        made.live.set_cameras(CameraState("gate", "lost", error="no route"))
        late.wait_for(f"{ROOT}/cameras/gate/state", lambda payload: payload == b"lost")
        late.wait_for(f"{ROOT}/state", lambda payload: b"camera gate is lost" in payload)


def test_nothing_is_sent_while_nothing_changes(
    broker: Mosquitto, watcher: Watcher, door: MakeDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "COUNTS_S", 3600.0)
    made = door(broker.url)
    until(lambda: online(watcher))
    before = len(watcher.messages)

    made.application.events.captured.tell(capture(1))  # marks that all before has arrived
    watcher.wait_for(f"{ROOT}/captures")
    more = {topic for topic, _ in watcher.messages[before:]}

    assert more <= {f"{ROOT}/captures", f"{ROOT}/cameras/gate/details"}


def test_a_capture_is_told_with_its_reasons(
    broker: Mosquitto, watcher: Watcher, door: MakeDoor
) -> None:
    made = door(broker.url)
    until(lambda: online(watcher))

    made.application.events.captured.tell(capture(1))

    told = json.loads(watcher.wait_for(f"{ROOT}/captures"))
    assert told["camera"] == "gate"
    assert told["lane"] == "score"
    assert told["rules"] == [{"name": "low_confidence", "score": 0.5}]
    with watching(broker) as late:
        late.wait_for(f"{ROOT}/availability")
        assert late.of(f"{ROOT}/captures") == []  # an event is not kept


def test_a_stop_says_offline_and_a_broken_connection_does_too(
    broker: Mosquitto, watcher: Watcher, door: MakeDoor
) -> None:
    made = door(broker.url)
    until(lambda: online(watcher))

    made.stop()

    watcher.wait_for(f"{ROOT}/availability", lambda payload: payload == b"offline")
    until(lambda: not made.is_running)


def test_a_stop_says_offline_though_the_broker_has_not_confirmed_all(
    broker: Mosquitto, watcher: Watcher, door: MakeDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing more may be sent then, so the last will says it."""
    made = door(broker.url)
    until(lambda: online(watcher))
    monkeypatch.setattr(client, "UNCONFIRMED_MAX", 0)

    made.stop()

    watcher.wait_for(f"{ROOT}/availability", lambda payload: payload == b"offline")


def test_a_broker_that_restarts_is_told_everything_again(
    broker: Mosquitto, door: MakeDoor, log: Recorder
) -> None:
    made = door(broker.url)
    until(lambda: made.is_connected)

    broker.stop()
    until(lambda: not made.is_connected)
    made.application.events.captured.tell(capture(1))  # told to nobody, and counted
    made.live.now = replace(made.live.now, model="other")
    broker.start()

    with watching(broker) as after:
        until(lambda: online(after))
        state = json.loads(after.last(f"{ROOT}/state") or b"")
        assert (state["model"], state["captures_dropped"]) == ("other", 1)
        assert after.of("homeassistant/button/capture-agent_gate-07/capture/config")
        assert after.of(f"{ROOT}/captures") == []
    assert log.events.count("mqtt connected") == 1
    assert log.events.count("mqtt recovered") == 1
    assert "mqtt disconnected" in log.events


def test_a_broker_that_is_not_there_is_awaited(
    broker: Mosquitto, door: MakeDoor, log: Recorder
) -> None:
    broker.stop()
    made = door(broker.url)
    until(lambda: made.error)
    assert "it refuses connections; check that the broker runs" in made.error

    broker.start()

    until(lambda: made.is_connected)
    assert log.events.count("mqtt disconnected") == 1


def test_a_refused_password_is_told_once_and_never_shown(
    start: Callable[..., Mosquitto], tmp_path: Path, door: MakeDoor, log: Recorder
) -> None:
    passwords = tmp_path / "passwords"
    run(["mosquitto_passwd", "-c", "-b", str(passwords), "agent", "right-one"], check=True)
    passwords.chmod(0o644)
    secured = start("allow_anonymous false", f"password_file {passwords}", *_own_user())

    wrong = door(f"mqtt://agent:wrong-one@127.0.0.1:{secured.port}")
    until(lambda: wrong.error)
    wrong.stop()
    right = door(f"mqtt://agent:right-one@127.0.0.1:{secured.port}")
    until(lambda: right.is_connected)

    assert "it refuses this client: correct user and password" in wrong.error or (
        "it refuses the user or the password" in wrong.error
    )
    assert log.events.count("mqtt disconnected") == 1
    assert not any(word in str(log.lines) for word in ("wrong-one", "right-one"))


# The library leaves a socket whose handshake failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_is_verified(start: Callable[..., Mosquitto], tmp_path: Path, door: MakeDoor) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    files = {
        "ca.pem": authority.cert_pem.bytes(),
        "stranger.pem": stranger.cert_pem.bytes(),
        "cert.pem": b"".join(blob.bytes() for blob in server.cert_chain_pems),
        "key.pem": server.private_key_pem.bytes(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o644)
    secured = start(
        "allow_anonymous true",
        f"certfile {tmp_path}/cert.pem",
        f"keyfile {tmp_path}/key.pem",
        *_own_user(),
    )
    place = f"127.0.0.1:{secured.port}"

    good = door(f"mqtts://{place}?ca={tmp_path}/ca.pem")
    until(lambda: good.is_connected)
    good.stop()
    for options in (f"?ca={tmp_path}/stranger.pem", ""):
        bad = door(f"mqtts://{place}{options}")
        bad.fails()
        bad.stop()
        assert "its certificate is not trusted" in bad.error
    own = tmp_path / "own.pem"
    device = authority.issue_cert("device")
    own.write_bytes(device.private_key_and_cert_chain_pem.bytes())
    strict = start(
        *("allow_anonymous true", "require_certificate true", f"cafile {tmp_path}/ca.pem"),
        *(f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem", *_own_user()),
    )
    known = door(f"mqtts://127.0.0.1:{strict.port}?ca={tmp_path}/ca.pem&cert={own}")
    until(lambda: known.is_connected)
    known.stop()
    unknown = door(f"mqtts://127.0.0.1:{strict.port}?ca={tmp_path}/ca.pem")
    unknown.fails()
    assert "name the file in AGENT_MQTT_URL as cert=/FILE" in unknown.error
    no_tls = door(f"mqtts://127.0.0.1:{start('allow_anonymous true').port}")
    no_tls.fails()
    assert "check the port" in no_tls.error or "does not speak TLS" in no_tls.error
    no_tls.stop()
    plain = door(f"mqtt://{place}")
    plain.fails()
    assert "closes the connection without an answer; check the port" in plain.error


def test_a_topic_that_the_broker_refuses_is_named(
    start: Callable[..., Mosquitto], tmp_path: Path, door: MakeDoor, log: Recorder
) -> None:
    rights = tmp_path / "acl"
    rights.write_text(f"topic write {ROOT}/state\n")
    rights.chmod(0o644)
    narrow = start("allow_anonymous true", f"acl_file {rights}", *_own_user())

    made = door(narrow.url)

    until(lambda: "mqtt topic refused" in log.events)
    until(lambda: any(f"{ROOT}/availability" in str(line) for line in log.lines))
    assert made.is_connected


def test_the_rights_of_the_documentation_are_enough(
    start: Callable[..., Mosquitto], tmp_path: Path, door: MakeDoor, log: Recorder
) -> None:
    page = (SOURCES / "docs" / "mqtt.md").read_text("utf-8")
    shown = page.partition("<!-- acl -->\n```text\n")[2].partition("```")[0]
    files = {"acl": shown, "passwords": ""}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644)
    for user in ("capture-agent", "homeassistant"):
        run(["mosquitto_passwd", "-b", str(tmp_path / "passwords"), user, "secret"], check=True)
    lines = [f"password_file {tmp_path}/passwords", f"acl_file {tmp_path}/acl"]
    broker = start("allow_anonymous false", *lines, *_own_user())

    with watching(broker, name="homeassistant", password="secret") as watcher:
        made = door(f"mqtt://capture-agent:secret@127.0.0.1:{broker.port}")
        until(lambda: online(watcher))
        assert watcher.of("homeassistant/button/capture-agent_gate-07/capture/config")
        watcher.publish(f"{ROOT}/cameras/gate/capture", "PRESS")
        until(lambda: made.captures.asked == [("gate", None, "")])

    assert "mqtt topic refused" not in log.events


def test_two_clients_of_one_id_are_noticed(
    broker: Mosquitto, door: MakeDoor, log: Recorder
) -> None:
    first = door(broker.url)
    until(lambda: first.is_connected)
    door(broker.url)

    until(lambda: "If another agent has the same AGENT_DEVICE_ID" in str(log.lines))
    told = Counter(line["error"] for line in log.lines if line["event"] == "mqtt disconnected")
    assert max(told.values()) <= 2  # by each of the two once


def test_home_assistant_is_told_again_when_it_starts(
    broker: Mosquitto, watcher: Watcher, door: MakeDoor
) -> None:
    topic = "homeassistant/button/capture-agent_gate-07/capture/config"
    door(broker.url)
    until(lambda: online(watcher))
    assert len(watcher.of(topic)) == 1

    watcher.publish("homeassistant/status", "online")

    until(lambda: len(watcher.of(topic)) == 2)


def test_what_is_no_longer_there_is_removed_and_nothing_else(
    broker: Mosquitto, watcher: Watcher, door: MakeDoor
) -> None:
    """A camera that was renamed must not stay in Home Assistant for ever."""
    before = door(broker.url, cameras=("gate", "yard"))
    until(lambda: online(watcher))
    before.stop()
    others = "homeassistant/sensor/capture-agent_gate-07/hand_made/config"
    watcher.publish(others, '{"name": "of somebody else"}', retain=True)

    door(broker.url, cameras=("gate",))

    gone = "homeassistant/sensor/capture-agent_gate-07/camera_yard_quality/config"
    until(lambda: watcher.last(gone) == b"")
    until(lambda: watcher.last(f"{ROOT}/cameras/yard/state") == b"")
    kept = "homeassistant/sensor/capture-agent_gate-07/camera_gate_quality/config"
    assert watcher.last(kept) not in (None, b"")
    assert watcher.last(others) != b""


@pytest.mark.parametrize(
    ("topic", "payload", "asked"),
    [
        ("capture", "PRESS", [("gate", None, ""), ("yard", None, "")]),
        ("capture", "", [("gate", None, ""), ("yard", None, "")]),
        ("capture", "yard", [("yard", None, "")]),
        ("capture", '{"camera": "yard", "at": "-3s", "note": "x"}', [("yard", "-3s", "x")]),
        ("cameras/yard/capture", "PRESS", [("yard", None, "")]),
        ("cameras/yard/capture", '{"at": -2}', [("yard", -2, "")]),
    ],
)
def test_a_press_asks_for_captures(
    broker: Mosquitto,
    watcher: Watcher,
    door: MakeDoor,
    topic: str,
    payload: str,
    asked: list[tuple[str, str | None, str]],
) -> None:
    made = door(broker.url, cameras=("gate", "yard"))
    until(lambda: online(watcher))

    watcher.publish(f"{ROOT}/{topic}", payload)

    until(lambda: made.captures.asked == asked, what=watcher.describe)


def test_a_retained_press_is_refused_each_time(
    broker: Mosquitto, watcher: Watcher, door: MakeDoor, log: Recorder
) -> None:
    """It would be followed at every connection."""
    watcher.publish(f"{ROOT}/capture", "PRESS", retain=True)

    made = door(broker.url)

    error = json.loads(watcher.wait_for(f"{ROOT}/errors"))
    assert "it is retained" in error["error"]
    assert f"mosquitto_pub -r -n -t '{ROOT}/capture'" in error["error"]
    assert made.captures.asked == []
    assert log.one("mqtt command refused")["topic"] == f"{ROOT}/capture"


def test_removing_a_retained_press_presses_nothing(
    broker: Mosquitto, watcher: Watcher, door: MakeDoor
) -> None:
    """It is removed by an empty message, and an empty message is a press."""
    watcher.publish(f"{ROOT}/capture", "PRESS", retain=True)
    made = door(broker.url)
    watcher.wait_for(f"{ROOT}/errors")

    watcher.publish(f"{ROOT}/capture", "", retain=True)
    watcher.publish(f"{ROOT}/cameras/gate/capture", "PRESS")

    until(lambda: made.captures.asked)
    assert made.captures.asked == [("gate", None, "")]
    assert len(watcher.of(f"{ROOT}/errors")) == 1


def test_hostile_payloads_are_answered_and_harm_nothing(
    broker: Mosquitto,
    watcher: Watcher,
    door: MakeDoor,
    log: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command_desk, "REFUSALS_S", 3600.0)
    made = door(broker.url, cameras=("gate", "blind"))
    until(lambda: online(watcher))
    hostile = [
        b"\xff\xfe",
        b"[" * 4000,
        b'{"a":' * 700,
        b'{"camera": "\\u001b[2J"}',
        b"x" * 60_000,
        b'{"at": 1e999}',
        b'{"note": 7}',
        b"nowhere",
        b"blind",
    ]

    for payload in hostile:
        watcher.publish(f"{ROOT}/capture", payload)
    watcher.publish(f"{ROOT}/capture", b"z" * 1_000_000)  # the broker keeps it to itself

    until(lambda: len(watcher.of(f"{ROOT}/errors")) == len(hostile), what=watcher.describe)
    assert all(json.loads(each)["error"].isprintable() for each in watcher.of(f"{ROOT}/errors"))
    assert log.events.count("mqtt command refused") == 1  # a line in so long
    watcher.publish(f"{ROOT}/capture", "gate")
    until(lambda: made.captures.asked == [("gate", None, "")])
    assert log.events.count("mqtt disconnected") == 0


def test_too_many_presses_are_refused(
    broker: Mosquitto, watcher: Watcher, door: MakeDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requested captures are evicted last: a program gone mad would displace all others."""
    monkeypatch.setattr(commands, "REFILL_S", 3600.0)
    made = door(broker.url)
    until(lambda: online(watcher))

    for _ in range(15):
        watcher.publish(f"{ROOT}/capture", "PRESS")

    until(lambda: len(watcher.of(f"{ROOT}/errors")) == 5, what=watcher.describe)
    assert len(made.captures.asked) == 10


def test_sixteen_cameras_are_told_though_the_broker_confirms_one_by_one(
    start: Callable[..., Mosquitto], door: MakeDoor
) -> None:
    broker = start("allow_anonymous true", "max_inflight_messages 1", "max_queued_messages 1000")
    names = tuple(f"camera-{number}" for number in range(16))
    with watching(broker) as watcher:
        door(broker.url, cameras=names)
        until(lambda: online(watcher))
        configs = {topic for topic, _ in watcher.messages if topic.startswith("homeassistant/")}
        states = [watcher.last(f"{ROOT}/cameras/{name}/state") for name in names]

    assert len(configs) == 8 + 16 * 8
    assert states == [b"live"] * 16


def test_a_stop_does_not_wait_for_a_broker_that_hangs(
    door: MakeDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CONNECT_S", 100.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = door(f"mqtt://127.0.0.1:{silent.getsockname()[1]}")
        accepted, _ = silent.accept()
        with accepted:
            made.stop()
            until(lambda: not made.is_running)


def _own_user() -> list[str]:
    """As root, mosquitto changes its user, who could not read the folder of a test."""
    return ["user root"] if os.geteuid() == 0 else []
