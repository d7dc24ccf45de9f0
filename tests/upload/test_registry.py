"""AGENT_UPLOAD_URL to targets, and folders that are there, gone, or not ours."""

import contextlib
import os
from pathlib import Path

import pytest

from agent.dataset.folder import Dataset
from agent.errors import CaptureRejected, ConfigurationError, TargetBlocked, TargetUnavailable
from agent.factories.datasets import dataset_at
from agent.files import Disk
from agent.ports import UploadTarget
from agent.upload.http.options import HttpOptions
from agent.upload.targets.address import insecure_token_warning
from agent.upload.targets.context import TargetContext
from agent.upload.targets.endpoint import EndpointTarget
from agent.upload.targets.factory import make_target
from agent.upload.targets.folder import FolderTarget
from agent.upload.targets.label_studio import LabelStudioTarget
from agent.upload.targets.roboflow import RoboflowTarget
from agent.upload.targets.s3 import S3Target
from tests.fakes.captures import CAR, stored_capture
from tests.fakes.clock import ManualClock
from tests.fakes.disk.real import TwoDisks
from tests.spool.small_file_system import mounted


def target_for(url: str) -> UploadTarget:
    return make_target(
        url,
        TargetContext(
            token="s3cret",
            network=HttpOptions(),
            clock=ManualClock(),
            disk=Disk(),
            capture_folder=lambda path: Dataset(path, Disk()),
        ),
    )


@pytest.mark.parametrize(
    ("url", "kind", "name"),
    [
        ("https://host.example/x?key=1", EndpointTarget, "https://host.example/x?key=***"),
        ("HTTP://10.0.0.7:8080", EndpointTarget, "HTTP://10.0.0.7:8080"),
        ("http://[::1]:8080/captures", EndpointTarget, "http://[::1]:8080/captures"),
        ("dir:/mnt/usb/set", FolderTarget, "dir:/mnt/usb/set"),
        ("roboflow://cars?tag=a", RoboflowTarget, "roboflow://cars?tag=***"),
        ("roboflow+http://10.0.0.7:1/cars", RoboflowTarget, "roboflow+http://10.0.0.7:1/cars"),
        ("s3://bucket/yard", S3Target, "s3://bucket/yard"),
        (
            "label-studio+https://labels.example/projects/7",
            LabelStudioTarget,
            "label-studio+https://labels.example/projects/7",
        ),
    ],
)
def test_the_scheme_picks_the_target(
    url: str, kind: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "any")
    target = target_for(url)

    assert isinstance(target, kind)
    assert target.name == name


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://host/x", r"https://HOST/PATH, .* s3://BUCKET/PREFIX, .* not 'ftp://host/x'"),
        ("/mnt/share", r"for a folder write dir: before its path"),
        ("s3://key:s3cret@bucket/x", r"not 's3://\*\*\*@bucket/x'"),
        ("host.example/x", "must be one of"),
        ("", "must be one of"),
        ("label-studio://host/projects/1", "must be one of"),
        ("dir:relative", "absolute path"),
        ("dir:", "absolute path"),
        ("https://u:s3cret@host/", "AGENT_UPLOAD_TOKEN"),
    ],
)
def test_any_other_address_is_refused_with_what_is_allowed(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        target_for(url)

    assert str(caught.value).startswith("AGENT_UPLOAD_URL: ")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "token", "warns"),
    [
        ("http://10.0.0.7/x", "s3cret", True),
        ("HTTP://pi.local/x", "s3cret", True),
        ("http://10.0.0.7/x", None, False),
        ("http://localhost:1/x", "s3cret", False),
        ("http://127.0.0.9/x", "s3cret", False),
        ("http://[::1]/x", "s3cret", False),
        ("https://10.0.0.7/x", "s3cret", False),
        ("dir:/x", "s3cret", False),
        ("s3://bucket", "s3cret", False),
        ("roboflow://cars", "s3cret", False),
        ("roboflow+http://10.0.0.7/cars", "s3cret", True),
        ("roboflow+http://localhost:1/cars", "s3cret", False),
        ("label-studio+http://labels.example/projects/7", "s3cret", True),
        ("label-studio+https://labels.example/projects/7", "s3cret", False),
    ],
)
def test_a_token_in_the_open_is_worth_a_warning(url: str, token: str | None, warns: bool) -> None:
    warning = insecure_token_warning(url, token)

    assert (warning is not None) == warns
    assert "s3cret" not in (warning or "")


def test_a_folder_is_made_inside_one_that_exists(tmp_path: Path) -> None:
    target = FolderTarget(Dataset(tmp_path / "set", Disk()), Disk())

    assert "GB free" in target.probe()
    assert not (tmp_path / "set").exists()
    target.send(stored_capture(1))
    assert (tmp_path / "set/images").is_dir()


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("hello")

    with pytest.raises(TargetBlocked, match="it is not a folder"):
        FolderTarget(Dataset(tmp_path / "set", Disk()), Disk()).probe()


def test_a_missing_mount_point_is_never_made(tmp_path: Path) -> None:
    target = FolderTarget(Dataset(tmp_path / "usb/set", Disk()), Disk())
    for attempt in (target.probe, lambda: target.send(stored_capture(1))):
        with pytest.raises(TargetUnavailable, match="is the disk plugged in and mounted"):
            attempt()

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_is_not_made_again_below_its_mount_point(tmp_path: Path) -> None:
    target = FolderTarget(Dataset(tmp_path / "set", Disk()), Disk())
    target.send(stored_capture(1))
    (tmp_path / "set").rename(tmp_path / "taken away")
    with pytest.raises(TargetUnavailable, match="mounted"):
        target.send(stored_capture(3))
    (tmp_path / "taken away").rename(tmp_path / "set")

    assert target.send(stored_capture(3)).duplicate is False


def test_a_folder_that_is_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("x")
    target = FolderTarget(Dataset(tmp_path / "set", Disk()), Disk())
    with pytest.raises(TargetBlocked, match="it is not a folder"):
        target.probe()
    with pytest.raises(TargetBlocked, match="it is not a folder"):
        target.send(stored_capture(1))


def test_a_folder_on_a_read_only_disk_is_said(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path) as small:
        (small.root / "set").mkdir()
        small.remount("ro")
        target = FolderTarget(Dataset(small.root / "set", Disk()), Disk())

        with pytest.raises(TargetBlocked, match=r"Read-only file system; .* mount the disk"):
            target.probe()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_another_user_blocks(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir(mode=0o500)
    target = FolderTarget(Dataset(tmp_path / "set", Disk()), Disk())
    with pytest.raises(TargetBlocked, match="change the owner"):
        target.probe()
    with pytest.raises(TargetBlocked, match="change the rights"):
        target.send(stored_capture(1))


def test_a_capture_that_contradicts_itself_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CaptureRejected):
        FolderTarget(Dataset(tmp_path, Disk()), Disk()).send(
            stored_capture(1, b"x", detections="none")
        )


def test_a_dataset_that_lost_its_names_blocks(tmp_path: Path) -> None:
    FolderTarget(Dataset(tmp_path, Disk()), Disk()).send(stored_capture(1))
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(TargetBlocked, match=r"data\.yaml is missing"):
        FolderTarget(Dataset(tmp_path, Disk()), Disk()).send(stored_capture(2))


def test_a_disk_that_is_not_mounted_is_never_replaced_by_the_device_s_own(tmp_path: Path) -> None:
    """The empty mount point is there; so may be a folder that was once made in it."""
    usb = tmp_path / "usb"
    (usb / "set").mkdir(parents=True)
    disk = TwoDisks(usb)
    for folder in (usb, usb / "set", usb / "new"):
        target = FolderTarget(Dataset(folder, Disk()), disk)
        for attempt in (target.probe, lambda target=target: target.send(stored_capture(1))):
            with pytest.raises(TargetUnavailable, match="nothing is mounted there") as caught:
                attempt()
            assert not caught.value.reached
    assert list((usb / "set").iterdir()) == []

    disk.is_mounted = True
    target = FolderTarget(Dataset(usb / "set", Disk()), disk)
    assert target.probe().startswith("writable")
    assert target.send(stored_capture(1)).duplicate is False
    disk.is_mounted = False
    with pytest.raises(TargetUnavailable, match="nothing is mounted there"):
        target.send(stored_capture(2))


@pytest.mark.parametrize("path", ["/mnt/usb/set", "/media/pi/STICK/set", "/run/media/pi/x"])
def test_disks_are_mounted_below_the_usual_folders(path: str) -> None:
    disk = TwoDisks(Path("/elsewhere"))
    with pytest.raises(TargetUnavailable, match="nothing is mounted there"):
        FolderTarget(Dataset(Path(path), Disk()), disk).probe()


def test_a_folder_on_the_device_s_own_disk_leaves_it_room(tmp_path: Path) -> None:
    """A target without a limit would fill the card that the device itself needs."""
    disk = TwoDisks(tmp_path / "usb")
    target = FolderTarget(Dataset(tmp_path / "set", Disk()), disk, min_free=200_000_000)
    target.send(stored_capture(1))
    disk.free = 200_000_000
    with pytest.raises(TargetUnavailable, match="AGENT_SPOOL_MIN_FREE=200 MB must stay free"):
        target.send(stored_capture(2))
    disk.free = 199_000_000
    with pytest.raises(TargetUnavailable, match="199 MB free"):
        target.probe()

    disk.is_mounted = True
    disk.mount.mkdir()
    mounted = FolderTarget(Dataset(tmp_path / "usb", Disk()), disk, min_free=200_000_000)
    assert mounted.send(stored_capture(3)).duplicate is False


def test_fstab_names_the_places_of_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """# <file system> <mount point> <type>
UUID=1 / ext4 defaults 0 1
UUID=2 /data ext4 nofail 0 2
//nas/share /srv/my\\040share cifs nofail 0 0
UUID=3 none swap sw 0 0
broken
"""
    read = Path.read_text
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda self, **more: text if str(self) == "/etc/fstab" else read(self, **more),
    )

    assert Disk().mount_points() == (Path("/data"), Path("/srv/my share"))


@pytest.mark.parametrize("link", ["data.yaml.tmp", "data.yaml", "images", ".data.yaml.lock"])
def test_nothing_is_written_through_a_link_that_others_planted(tmp_path: Path, link: str) -> None:
    """As a stick or share that others may write to, with the disk that the agent uses for it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"precious")
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / link).symlink_to(outside if link == "images" else outside / "file")
    target = FolderTarget(dataset_at(folder), Disk())
    with contextlib.suppress(TargetUnavailable, TargetBlocked):
        target.send(stored_capture(1, detections=[CAR]))

    assert (outside / "file").read_bytes() == b"precious"
    assert [path.name for path in outside.iterdir()] == ["file"]


def test_what_is_mounted_is_what_the_kernel_says() -> None:
    mounted = Disk().mounted()

    assert {Path("/"), Path("/proc")} <= mounted
    assert all(place.is_absolute() for place in mounted)
