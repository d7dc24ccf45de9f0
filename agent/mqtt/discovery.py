"""Home Assistant's discovery messages: pure.

See https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. One message for each entity,
in the form that all versions since 2023.8 read. The agent is a device, and each camera is one that
is reached through it, so that a camera can be put into the area where it is.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.mqtt.entities import Entity, camera_entities, device_entities
from agent.mqtt.topics import Topics, object_id

ORIGIN = "capture-agent"


def node_id(device: str) -> str:
    """Return the level of discovery topics that names this device."""
    return object_id(f"{ORIGIN}_{device}")


def filter_of(discovery: str, device: str) -> str:
    """Return the filter of all discovery messages of this device."""
    return f"{discovery}/+/{node_id(device)}/+/config"


def configs(
    discovery: str, topics: Topics, cameras: Sequence[str], *, version: str, has_budget: bool
) -> dict[str, bytes]:
    """Return each discovery message by its topic, those of the device itself first."""
    node = node_id(topics.device)
    agent: Mapping[str, Any] = {
        "identifiers": [node],
        "name": topics.device,
        "manufacturer": ORIGIN,
        "model": ORIGIN,
        "sw_version": version,
    }
    made = {}
    groups: list[tuple[Mapping[str, Any], str, Iterator[Entity]]] = [
        (agent, "", device_entities(topics, has_budget=has_budget))
    ]
    for camera in cameras:
        device: Mapping[str, Any] = {
            "identifiers": [f"{node}.{object_id(camera)}"],
            "name": f"{topics.device} {camera}",
            "manufacturer": ORIGIN,
            "model": "camera",
            "via_device": node,
        }
        groups.append((device, object_id(camera), camera_entities(topics, camera)))
    for group, camera, entities in groups:
        for component, name, config in entities:
            # No id has a dot, and no name of a camera's entity an underscore: two stay two.
            begin, of_camera = (f"camera_{camera}_", f"{camera}.") if camera else ("", "")
            whole = {
                **config,
                "unique_id": f"{node}.{of_camera}{name}",
                "availability_topic": topics.availability,
                "device": group,
                "origin": {"name": ORIGIN, "sw_version": version},
            }
            topic = f"{discovery}/{component}/{node}/{begin}{name}/config"
            made[topic] = json.dumps(whole).encode("ascii")
    return made


def is_ours(config: bytes) -> bool:
    """Whether a discovery message was made by this program."""
    try:
        origin = json.loads(config)["origin"]["name"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return bool(origin == ORIGIN)
