"""What Home Assistant shows of the agent and of each camera: pure.

Classes and units follow https://developers.home-assistant.io/docs/core/entity/sensor: a state of
the class `enum` or `timestamp` has neither a unit nor a state class.
"""

from collections.abc import Iterator
from typing import Any

from agent.mqtt.topics import Topics

_UPLOADS = ["flowing", "delayed", "closed", "blocked", "off"]
_DISKS = ["ok", "full", "refused"]
_QUALITIES = ["clear", "dark", "overexposed", "blurred", "frozen", "covered"]
_CONDITIONS = ["opening", "live", "lost", "ended", "failed"]
_STATE_MAX = 250
"""Characters of a state that are shown: Home Assistant takes 255."""

Entity = tuple[str, str, dict[str, Any]]
"""Component, object id, and the configuration without what all have."""


def device_entities(topics: Topics, *, has_budget: bool) -> Iterator[Entity]:
    """Yield the entities of the agent itself."""

    def sensor(name: str, template: str, **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "state_topic": topics.state,
            "value_template": f"{{{{ {template} }}}}",
            **more,
        }

    yield (
        "sensor",
        "waiting",
        sensor(
            "Captures waiting",
            "value_json.waiting",
            icon="mdi:tray-full",
            state_class="measurement",
            unit_of_measurement="captures",
        ),
    )
    yield (
        "sensor",
        "delivered",
        sensor(
            "Captures delivered",
            "value_json.delivered",
            icon="mdi:tray-arrow-up",
            state_class="total_increasing",
            unit_of_measurement="captures",
        ),
    )
    if has_budget:
        yield (
            "sensor",
            "credits_left",
            sensor(
                "Credits left",
                "value_json.credits_left",
                icon="mdi:ticket-confirmation-outline",
                state_class="measurement",
                unit_of_measurement="credits",
                suggested_display_precision=1,
            ),
        )
    yield (
        "binary_sensor",
        "problem",
        sensor(
            "Problem",
            "'ON' if value_json.problem else 'OFF'",
            device_class="problem",
            entity_category="diagnostic",
            json_attributes_topic=topics.state,
            json_attributes_template=(
                "{{ {'problem': value_json.problem, 'last_error': value_json.last_error} "
                "| tojson }}"
            ),
        ),
    )
    yield (
        "sensor",
        "upload",
        sensor(
            "Upload",
            "value_json.upload or 'off'",
            icon="mdi:cloud-upload-outline",
            device_class="enum",
            options=_UPLOADS,
            entity_category="diagnostic",
        ),
    )
    yield (
        "sensor",
        "disk",
        sensor(
            "Disk",
            "value_json.disk",
            icon="mdi:harddisk",
            device_class="enum",
            options=_DISKS,
            entity_category="diagnostic",
        ),
    )
    yield (
        "sensor",
        "model",
        sensor(
            "Model",
            f"(value_json.model or 'none')[:{_STATE_MAX}]",
            icon="mdi:brain",
            entity_category="diagnostic",
        ),
    )
    yield "button", "capture", _button(topics.capture)


def camera_entities(topics: Topics, camera: str) -> Iterator[Entity]:
    """Yield the entities of one camera; no object id among them has an underscore."""
    state, details = topics.camera(camera, "state"), topics.camera(camera, "details")
    counts = topics.camera(camera, "counts")
    yield (
        "binary_sensor",
        "connection",
        {
            "name": "Connection",
            "state_topic": state,
            "value_template": "{{ 'ON' if value == 'live' else 'OFF' }}",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
        },
    )
    yield (
        "sensor",
        "state",
        {
            "name": "State",
            "state_topic": state,
            "icon": "mdi:cctv",
            "device_class": "enum",
            "options": _CONDITIONS,
            "entity_category": "diagnostic",
            "json_attributes_topic": details,
            "json_attributes_template": "{{ {'error': value_json.error} | tojson }}",
        },
    )
    yield (
        "sensor",
        "quality",
        {
            "name": "Image quality",
            "state_topic": details,
            "value_template": "{{ value_json.quality }}",
            "icon": "mdi:image-filter-center-focus",
            "device_class": "enum",
            "options": _QUALITIES,
        },
    )
    yield (
        "sensor",
        "latest",
        {
            "name": "Last capture",
            "state_topic": details,
            "value_template": "{{ value_json.last_capture_at }}",
            "device_class": "timestamp",
            "json_attributes_topic": details,
            "json_attributes_template": (
                "{{ {'id': value_json.last_capture, 'lane': value_json.last_capture_lane, "
                "'rules': value_json.last_capture_rules} | tojson }}"
            ),
        },
    )
    yield (
        "sensor",
        "captured",
        {
            "name": "Captures",
            "state_topic": counts,
            "value_template": "{{ value_json.captured }}",
            "icon": "mdi:image-multiple-outline",
            "state_class": "total_increasing",
            "unit_of_measurement": "captures",
        },
    )
    yield (
        "sensor",
        "fps",
        {
            "name": "Frame rate",
            "state_topic": counts,
            "value_template": "{{ value_json.fps }}",
            "icon": "mdi:speedometer",
            "state_class": "measurement",
            "unit_of_measurement": "fps",
            "suggested_display_precision": 1,
            "entity_category": "diagnostic",
        },
    )
    yield (
        "sensor",
        "objects",
        {
            "name": "Objects",
            "state_topic": topics.camera(camera, "detections"),
            "value_template": "{{ value_json.total }}",
            "icon": "mdi:shape-outline",
            "state_class": "measurement",
            "unit_of_measurement": "objects",
            "json_attributes_topic": topics.camera(camera, "detections"),
            "json_attributes_template": "{{ value_json.labels | tojson }}",
            "enabled_by_default": False,  # it may change each second, and fills the history
        },
    )
    yield "button", "capture", _button(topics.camera(camera, "capture"))


def _button(topic: str) -> dict[str, Any]:
    return {
        "name": "Capture now",
        "command_topic": topic,
        "payload_press": "PRESS",
        "icon": "mdi:camera",
    }
