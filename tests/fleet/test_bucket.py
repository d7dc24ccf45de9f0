"""Heartbeats in a bucket, in a real S3 store: all that it gives is shown, the rest is named."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.dataset.bucket import Bucket
from agent.errors import ConfigurationError, TemporaryError
from agent.fleet.bucket import devices_of_bucket, heartbeats_in
from agent.fleet.devices import Heartbeat, Problem
from agent.record.device_names import status_file
from agent.record.device_status import READ_MAX
from tests.dataset.bucket_store import delivered, emptied
from tests.fakes.captures import stored_capture
from tests.fakes.fleet import status_fields
from tests.upload.s3_store import S3Store


@pytest.fixture(scope="module")
def running() -> Iterator[S3Store]:
    with S3Store() as store:
        yield store


@pytest.fixture
def store(running: S3Store, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    return emptied(running, monkeypatch)


def put(store: S3Store, *devices: str) -> None:
    for device in devices:
        data = json.dumps(status_fields(device)).encode()
        name = status_file(device, keeps_capitals=True)
        store.write(f"captures/yard/devices/{name}", data)


def bucket_of(store: S3Store) -> Bucket:
    return Bucket(store.url, retries=0)


def test_each_heartbeat_has_the_time_at_which_its_object_was_written(store: S3Store) -> None:
    names = ["gate-07", "Gate-07", "t\u00fcr 100%"]
    before = datetime.now(UTC).timestamp()
    put(store, *names)
    after = datetime.now(UTC).timestamp()

    found = heartbeats_in(bucket_of(store))

    beats = [each for each in found if isinstance(each, Heartbeat)]
    assert sorted(each.device for each in beats) == sorted(names)
    assert all(before - 1 < each.received_at < after + 1 for each in beats)  # in whole seconds


def test_what_the_store_denies_is_named_and_the_rest_is_shown(store: S3Store) -> None:
    put(store, "a", "b", "c")
    store.write("captures/yard/devices/note.txt", b"of a person")
    store.write("captures/yard/devices/2026-05-28/x.json", b"of a device of that name")
    store.write("captures/yard/devices/huge.json", b" " * (READ_MAX + 1))
    store.write("captures/yard/devices/half.json", b'{"schema"')
    store.faults.extend([None, ("403 Forbidden", "AccessDenied"), ("500 Error", "InternalError")])

    found = heartbeats_in(bucket_of(store))

    problems = {each.name: each for each in found if isinstance(each, Problem)}
    beats = [each for each in found if isinstance(each, Heartbeat)]
    assert len(beats) + len(problems) == 6
    assert {"note.txt", "huge.json"} <= set(problems)
    why = " ".join(each.why for each in problems.values())
    assert "403 AccessDenied" in why
    assert "500" in why
    assert [name for name, each in problems.items() if not each.is_heartbeat] == ["note.txt"]


def test_where_nothing_may_be_read_the_reason_is_said_once(store: S3Store) -> None:
    put(store, "a", "b")
    store.faults.extend([None, *[("403 Forbidden", "AccessDenied")] * 2])

    with pytest.raises(ConfigurationError, match="403 AccessDenied"):
        heartbeats_in(bucket_of(store))


def test_a_store_that_does_not_list_is_an_error(store: S3Store) -> None:
    store.failure = ("503 Slow Down", "SlowDown")

    with pytest.raises(TemporaryError, match="503"):
        heartbeats_in(bucket_of(store))


def test_what_does_not_come_in_time_is_named(store: S3Store) -> None:
    put(store, "a", "b")

    found = heartbeats_in(bucket_of(store), seconds=0.0)

    assert {each.name for each in found if isinstance(each, Problem)} <= {"a.json", "b.json"}
    assert len(found) == 2


def test_devices_without_a_heartbeat_are_known_by_the_folders_of_their_captures(
    store: S3Store,
) -> None:
    capture = stored_capture(1)
    delivered(store, capture)
    put(store, "other")
    device = str(capture.record["device"])

    assert devices_of_bucket(bucket_of(store), ["other"]) == {
        device: datetime.fromisoformat(capture.record["captured_at"][:10] + "T00:00Z").timestamp()
    }
    assert devices_of_bucket(bucket_of(store), [device]) == {}


def test_the_command_shows_the_fleet_of_a_bucket(store: S3Store) -> None:
    at = datetime.now(UTC).timestamp()
    for device, changes in (("gate", {}), ("yard", {"needs": ["the model is old"]})):
        data = json.dumps(status_fields(device, at, **changes)).encode()
        store.write(f"captures/yard/devices/{device}.json", data)
    delivered(store, stored_capture(1))

    result = CliRunner().invoke(app, ["fleet", store.url, "--json"])
    facts = json.loads(result.stdout)

    assert result.exit_code == 1
    assert [(each["device"], each["condition"]) for each in facts["devices"]] == [
        ("yard", "attention"),
        (stored_capture(1).record["device"], "no heartbeat"),
        ("gate", "well"),
    ]


def test_a_device_is_forgotten_by_its_object_alone(store: S3Store) -> None:
    put(store, "gate-07", "Gate-07")
    delivered(store, stored_capture(1))
    before = set(store.stored())

    result = CliRunner().invoke(app, ["fleet", store.url, "--forget", "Gate-07"])

    assert result.exit_code == 0
    assert before - set(store.stored()) == {"captures/yard/devices/Gate-07.json"}
    result = CliRunner().invoke(app, ["fleet", store.url, "--forget", "Gate-07"])
    assert result.exit_code == 78
    assert "did you mean gate-07?" in " ".join(result.stderr.split())
