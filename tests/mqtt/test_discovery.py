"""Home Assistant's rules for discovery messages, applied to ours."""

import json
import re
from typing import Any

import jinja2
import pytest

from agent.exchange.state import CameraState
from agent.mqtt.discovery import configs, filter_of, is_ours
from agent.mqtt.messages import camera_counts, camera_details, device_state, payload, seen
from agent.mqtt.topics import Topics
from agent.runtime.reader import CameraCondition
from agent.selection.image_quality import ImageQuality
from agent.upload.backoff import UploadState
from tests.mqtt.door import FIGURES, STATE, THRESHOLDS

TOPICS = Topics("capture-agent", "gate 07")
MADE = configs("homeassistant", TOPICS, ["gate", "yard"], version="1.2.3", has_budget=True)
CONFIGS = {topic: json.loads(data) for topic, data in MADE.items()}
CAMERA = CameraState("gate", "live", fps=5.0, last_capture="id", last_capture_time=1.78e9)
KEPT = {
    TOPICS.state: payload(device_state(STATE, FIGURES, dropped=0)),
    TOPICS.camera("gate", "state"): b"live",
    TOPICS.camera("gate", "details"): payload(
        camera_details(CAMERA, {"lane": "score", "rules": [{"name": "isolated"}]})
    ),
    TOPICS.camera("gate", "counts"): payload(camera_counts(CAMERA, frames=7, captured=2)),
    TOPICS.camera("gate", "detections"): payload(seen([("car", 0.9), ("car", 0.2)], THRESHOLDS)),
}
CLASSES_WITHOUT_STATE_CLASS = {"enum", "timestamp"}


def rendered(template: str | None, data: bytes) -> str:
    """The value of a template as Home Assistant computes it."""
    if template is None:
        return data.decode()
    values = {"value": data.decode()}
    if data.startswith(b"{"):
        values["value_json"] = json.loads(data)
    environment = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)
    environment.filters["tojson"] = json.dumps
    return environment.from_string(template).render(values)


def of_gate() -> list[dict[str, Any]]:
    return [each for topic, each in CONFIGS.items() if "camera_yard" not in topic]


def test_topics_and_ids_are_valid_and_unique() -> None:
    form = r"homeassistant/(sensor|binary_sensor|button)/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config"
    assert all(re.fullmatch(form, topic) for topic in CONFIGS)
    ids = [each["unique_id"] for each in CONFIGS.values()]
    assert len(set(ids)) == len(ids)
    kind = re.escape(filter_of("homeassistant", "gate 07")).replace(r"\+", "[^/]+")
    assert all(re.fullmatch(kind, topic) for topic in CONFIGS)
    assert all(map(is_ours, MADE.values()))


def test_no_two_entities_of_a_broker_share_an_id() -> None:
    """However devices and cameras are called."""
    fleet = [
        ("a", ["b", "x", "x_last", "x_latest", "b_c"]),
        ("a_camera_b", ["c", "x"]),
        ("a_b", ["c"]),
        ("a.b", ["c"]),
    ]
    made = [
        (topic, json.loads(data))
        for device, cameras in fleet
        for topic, data in configs(
            "homeassistant", Topics("p", device), cameras, version="1", has_budget=True
        ).items()
    ]
    entities = sum(8 + 8 * len(cameras) for _, cameras in fleet)
    devices = {config["device"]["identifiers"][0] for _, config in made}

    assert len({topic for topic, _ in made}) == entities
    assert len({config["unique_id"] for _, config in made}) == entities
    assert len(devices) == sum(1 + len(cameras) for _, cameras in fleet)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=[each.split("/")[3] for each in CONFIGS])
def test_each_message_has_what_home_assistant_requires(config: dict[str, Any]) -> None:
    assert config["device"]["identifiers"]
    assert config["device"]["name"]
    assert config["origin"]["name"] == "capture-agent"
    assert config["availability_topic"] == TOPICS.availability
    assert ("state_topic" in config) != ("command_topic" in config)
    if config.get("device_class") in CLASSES_WITHOUT_STATE_CLASS:
        assert not {"state_class", "unit_of_measurement"} & set(config)
    if "options" in config:
        assert config["device_class"] == "enum"


@pytest.mark.parametrize("config", [each for each in of_gate() if "state_topic" in each])
def test_each_template_finds_its_value_in_what_is_published(config: dict[str, Any]) -> None:
    value = rendered(config.get("value_template"), KEPT[config["state_topic"]])

    assert value not in ("", "None") or config["name"] == "Image quality"
    assert len(value) <= 255
    if "options" in config:
        assert value in [*config["options"], "None"]
    if "state_class" in config:
        assert float(value) >= 0
    if "json_attributes_topic" in config:
        data = KEPT[config["json_attributes_topic"]]
        assert isinstance(json.loads(rendered(config["json_attributes_template"], data)), dict)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("State", CameraCondition),
        ("Image quality", ImageQuality),
        ("Upload", [*UploadState, "closed", "off"]),
        ("Disk", ["ok", "full", "refused"]),
    ],
)
def test_each_value_is_among_the_options(name: str, values: Any) -> None:
    """Home Assistant refuses any other."""
    for config in CONFIGS.values():
        if config["name"] == name:
            assert set(config["options"]) == {str(value) for value in values}


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"{", b"\xff", b"[" * 50_000, b'{"origin": 1}'),
        b'{"origin": {"name": "another program"}}',
    ],
)
def test_what_another_program_announced_is_not_ours(data: bytes) -> None:
    assert not is_ours(data)
