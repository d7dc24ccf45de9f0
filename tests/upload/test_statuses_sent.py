"""What a device says of itself goes to each target that has a place for it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.dataset.folder import Dataset
from agent.errors import StatusRefused, TargetBlocked, TargetUnavailable
from agent.factories.datasets import dataset_at, shared_dataset_at
from agent.files import Disk
from agent.ports import TakesStatus
from agent.receiver.receiver import Receiver
from agent.record.device_names import DEVICES
from agent.record.device_status import STATUS_MAX, checked_status, encoded_status
from agent.upload.http.options import HttpOptions
from agent.upload.targets.endpoint import EndpointTarget
from agent.upload.targets.folder import FolderTarget
from agent.upload.targets.label_studio import LabelStudioTarget
from agent.upload.targets.roboflow import RoboflowTarget
from agent.upload.targets.s3 import S3Target
from tests.fakes.captures import stored_capture
from tests.fakes.clock import ManualClock
from tests.fakes.disk.real import RefusingDisk
from tests.record.device_statuses import ABOUT, camera_facts, status_facts
from tests.upload.faulty_server import FaultyServer, response
from tests.upload.s3_store import DENIED, ENVIRONMENT, S3Store


def status(device: str = "gate-07", waiting: int = 3, **about: Any) -> bytes:
    return encoded_status(status_facts(device=device, waiting=waiting), {**ABOUT, **about})


def alternated(target: TakesStatus) -> None:
    """Let two devices send with one id; the first one lived for an hour between its statuses."""
    for boot, since in (("a", 60.0), ("b", 9000.0), ("a", 3660.0)):
        target.send_status("gate-07", status(boot=boot, since_boot_s=since))


def of_other_devices(data: bytes) -> list[str]:
    return [each["boot"] for each in checked_status(data)["other_boots"] if each["is_other_device"]]


def endpoint(url: str, *, timeout: float = 60.0) -> EndpointTarget:
    network = HttpOptions(timeout=timeout)
    return EndpointTarget(url, token="s3cret", clock=ManualClock(), network=network)


@contextmanager
def started(receiver: Receiver) -> Iterator[Receiver]:
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


@pytest.mark.parametrize("device", ["gate-07", "a/b ü", "..x", "x" * 128])
def test_a_receiver_stores_what_an_endpoint_target_sends(tmp_path: Path, device: str) -> None:
    with (
        started(Receiver(dataset_at(tmp_path), token="s3cret")) as receiver,
        endpoint(f"{receiver.url}?site=7") as target,
    ):
        target.send_status(device, status(device))
        target.send(stored_capture(1))
    [file] = (tmp_path / DEVICES).iterdir()
    assert checked_status(file.read_bytes())["device"] == device
    assert receiver.captures == 1


def test_the_largest_status_fits_into_the_receiver(tmp_path: Path) -> None:
    cameras = [camera_facts(f"camera-{n}", error="x" * 500) for n in range(76)]
    data = encoded_status(status_facts(cameras=cameras), ABOUT)
    assert STATUS_MAX * 0.8 < len(data) <= STATUS_MAX
    with (
        started(Receiver(dataset_at(tmp_path))) as receiver,
        endpoint(receiver.url) as target,
    ):
        target.send_status("gate-07", data)
    assert (tmp_path / DEVICES / "gate-07.json").is_file()


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (404, StatusRefused, "takes no heartbeats"),
        (405, StatusRefused, "takes no heartbeats"),
        (501, StatusRefused, "takes no heartbeats"),
        (401, TargetBlocked, "AGENT_UPLOAD_TOKEN"),
        (302, TargetBlocked, "captive portal"),
        (413, TargetBlocked, "413"),
        (503, TargetUnavailable, "503"),
        (429, TargetUnavailable, "429"),
    ],
)
def test_what_a_response_means_for_heartbeats(answer: int, kind: type, words: str) -> None:
    refusing = FaultyServer(response(answer, b'{"error": "no"}'))
    with (
        refusing as server,
        endpoint(server.url) as target,
        pytest.raises(kind, match=words) as caught,
    ):
        target.send_status("gate-07", status())
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "body"),
    [(200, b""), (200, b"stored"), (201, b"<html>Created</html>"), (202, b"{}"), (204, b"")],
)
def test_any_success_is_enough(answer: int, body: bytes) -> None:
    with FaultyServer(response(answer, body)) as server, endpoint(server.url) as target:
        target.send_status("gate-07", status())


def test_the_page_of_a_captive_portal_has_not_taken_a_heartbeat() -> None:
    page = response(200, b"\r\n<!DOCTYPE html><title>log in</title>")
    with (
        FaultyServer(page) as server,
        endpoint(server.url) as target,
        pytest.raises(TargetBlocked, match="captive portal"),
    ):
        target.send_status("gate-07", status())


def test_a_folder_has_the_latest_status_of_each_device(tmp_path: Path) -> None:
    for device, waiting in (("gate-07", 1), ("Gate-07", 2), ("gate-07", 5)):
        target = FolderTarget(shared_dataset_at(tmp_path / "stick"), Disk())
        target.send_status(device, status(device, waiting))
    found = [
        checked_status(path.read_bytes()) for path in sorted((tmp_path / "stick/devices").iterdir())
    ]
    assert [(each["device"], each["waiting"]) for each in found] == [("Gate-07", 2), ("gate-07", 5)]


def test_two_devices_with_one_id_are_noted_in_a_folder(tmp_path: Path) -> None:
    alternated(FolderTarget(shared_dataset_at(tmp_path / "stick"), Disk()))
    assert of_other_devices((tmp_path / "stick/devices/gate-07.json").read_bytes()) == ["b"]


@pytest.mark.parametrize(
    ("number", "kind"), [(28, TargetUnavailable), (5, TargetUnavailable), (30, TargetBlocked)]
)
def test_a_folder_on_a_disk_that_refuses(tmp_path: Path, number: int, kind: type) -> None:
    disk = RefusingDisk()
    target = FolderTarget(Dataset(tmp_path / "stick", disk), disk)
    target.send_status("gate-07", status(waiting=1))
    disk.refuses = OSError(number, "refused")
    with pytest.raises(kind, match="cannot store the status of this device in"):
        target.send_status("gate-07", status(waiting=2))
    disk.refuses = None
    [file] = (tmp_path / "stick" / DEVICES).glob("*.json")
    assert checked_status(file.read_bytes())["waiting"] == 1


def test_a_folder_whose_disk_is_gone_is_not_made_again(tmp_path: Path) -> None:
    target = FolderTarget(shared_dataset_at(tmp_path / "stick"), Disk())
    target.send_status("gate-07", status())
    (tmp_path / "stick").rename(tmp_path / "gone")
    with pytest.raises(TargetUnavailable, match="plugged in"):
        target.send_status("gate-07", status())
    assert not (tmp_path / "stick").exists()


@pytest.fixture(scope="module")
def store() -> Iterator[S3Store]:
    with S3Store() as made:
        yield made


def test_a_bucket_has_one_object_for_each_device(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": store.endpoint}).items():
        monkeypatch.setenv(name, value)
    with S3Target(f"s3://{store.bucket}/fleet", clock=ManualClock()) as target:
        for device, waiting in (("Gate-07", 1), ("Gate-07", 2), ("a/b ü%", 3)):
            target.send_status(device, status(device, waiting))
        found = {key: json.loads(store.read(key)) for key in store.stored()}
        assert {key: each["waiting"] for key, each in found.items()} == {
            "fleet/devices/Gate-07.json": 2,
            "fleet/devices/a%2fb%20%c3%bc%25.json": 3,
        }
        store.failure = ("403 Forbidden", "AccessDenied")
        with pytest.raises(TargetBlocked, match="PutObject"):
            target.send_status("Gate-07", status())
        store.failure = ("501 Not Implemented", "NotImplemented")
        with pytest.raises(StatusRefused):
            target.send_status("Gate-07", status())


def test_two_devices_with_one_id_are_noted_in_a_bucket(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": store.endpoint}).items():
        monkeypatch.setenv(name, value)
    store.failure = None
    with S3Target(f"s3://{store.bucket}/twice", clock=ManualClock()) as target:
        alternated(target)
        assert of_other_devices(store.read("twice/devices/gate-07.json")) == ["b"]
        store.faults.append(DENIED)  # to read: these credentials may write alone
        target.send_status("gate-07", status(waiting=8))
        assert checked_status(store.read("twice/devices/gate-07.json"))["waiting"] == 8


def test_projects_of_labelling_tools_have_no_place_for_it() -> None:
    assert not issubclass(LabelStudioTarget, TakesStatus)
    assert not issubclass(RoboflowTarget, TakesStatus)
