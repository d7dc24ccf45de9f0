"""What every target promises, asked of each of them."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.dataset.folder import Dataset
from agent.errors import CaptureRejected, TargetBlocked, TargetUnavailable
from agent.files import Disk
from agent.ports import UploadTarget
from agent.receiver.receiver import Receiver
from agent.upload.targets.endpoint import EndpointTarget
from agent.upload.targets.folder import FolderTarget
from agent.upload.targets.label_studio import LabelStudioTarget
from agent.upload.targets.roboflow import RoboflowTarget
from agent.upload.targets.s3 import S3Target
from tests.upload.fake_target import FakeTarget
from tests.upload.label_studio_server import LabelStudioServer
from tests.upload.roboflow_server import RoboflowServer
from tests.upload.s3_store import ENVIRONMENT, S3Store
from tests.upload.upload_builders import FrozenClock, capture

TOKEN = "s3cret"


class MoodyDisk(Disk):
    """Fails every write while it has a reason to."""

    trouble: OSError | None = None

    def write(self, path: Path, data: bytes) -> None:
        if self.trouble is not None:
            raise self.trouble
        super().write(path, data)


@dataclass
class Side:
    """A target, a look at what its far side holds, and ways to break and mend that side."""

    target: UploadTarget
    images: Callable[[], dict[str, bytes]]
    make_unavailable: Callable[[], None]
    make_held: Callable[[], None]
    mend: Callable[[], None]
    knows_ids: bool = True
    """False where images are known by their bytes alone, so that an id means nothing."""


def images_in(directory: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in directory.glob("images/*.jpg")}


def http_side(directory: Path) -> Iterator[Side]:
    disk = MoodyDisk()
    receiver = Receiver(Dataset(directory, disk), token=TOKEN)
    receiver.start()

    def refuse() -> None:
        receiver.token = "changed"

    def fill() -> None:
        disk.trouble = OSError(28, "No space left on device")

    def mend() -> None:
        receiver.token, disk.trouble = TOKEN, None

    with EndpointTarget(receiver.url, token=TOKEN, clock=FrozenClock()) as target:
        yield Side(target, lambda: images_in(directory), fill, refuse, mend)
    receiver.stop()


def directory_side(directory: Path) -> Iterator[Side]:
    disk = MoodyDisk()

    def fail(number: int, words: str) -> Callable[[], None]:
        return lambda: setattr(disk, "trouble", OSError(number, words))

    yield Side(
        FolderTarget(Dataset(directory, disk), disk),
        lambda: images_in(directory),
        fail(28, "No space left on device"),
        fail(30, "Read-only file system"),
        lambda: setattr(disk, "trouble", None),
    )


def fake_side(_directory: Path) -> Iterator[Side]:
    fake = FakeTarget()
    yield Side(
        fake,
        lambda: {capture_id: stored.image for capture_id, stored in fake.stored.items()},
        lambda: setattr(fake, "trouble", TargetUnavailable("down")),
        lambda: setattr(fake, "trouble", TargetBlocked("locked")),
        lambda: setattr(fake, "trouble", None),
    )


def roboflow_side(_directory: Path) -> Iterator[Side]:
    with RoboflowServer(TOKEN) as server:

        def mend() -> None:
            server.key, server.trouble = TOKEN, None

        with RoboflowTarget(server.url, token=TOKEN, clock=FrozenClock()) as target:
            yield Side(
                target,
                lambda: {image.name[:-4]: image.data for image in server.images.values()},
                lambda: setattr(server, "trouble", (502, b"<html>Bad Gateway</html>")),
                lambda: setattr(server, "key", "changed"),
                mend,
                knows_ids=False,
            )


def s3_side(_directory: Path) -> Iterator[Side]:
    with pytest.MonkeyPatch.context() as environment, S3Store() as store:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": store.endpoint}.items():
            environment.setenv(name, value)
        yield Side(
            S3Target(store.url, clock=FrozenClock()),
            lambda: {
                Path(key).stem: store.read(key) for key in store.stored() if key.endswith(".jpg")
            },
            lambda: setattr(store, "trouble", ("503 Slow Down", "SlowDown")),
            lambda: setattr(store, "trouble", ("403 Forbidden", "AccessDenied")),
            lambda: setattr(store, "trouble", None),
        )


def label_studio_side(_directory: Path) -> Iterator[Side]:
    with LabelStudioServer() as server:
        server.legacy = TOKEN

        def images() -> dict[str, bytes]:
            return {
                task.data["capture_id"]: base64.b64decode(task.data["picture"].partition(",")[2])
                for task in server.tasks
            }

        def mend() -> None:
            server.legacy, server.trouble = TOKEN, None

        with LabelStudioTarget(server.url, token=TOKEN, clock=FrozenClock()) as target:
            yield Side(
                target,
                images,
                lambda: setattr(server, "trouble", (500, b"<html>Server Error</html>")),
                lambda: setattr(server, "legacy", "changed"),
                mend,
            )


SIDES = [http_side, directory_side, fake_side, roboflow_side, s3_side, label_studio_side]


@pytest.fixture(params=SIDES, ids=lambda side: side.__name__)
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    yield from request.param(tmp_path / "set")


def test_a_receipt_repeats_id_and_checksum_and_the_far_side_has_the_image(side: Side) -> None:
    sent = capture(1)
    receipt = side.target.send(sent)

    assert (receipt.id, receipt.sha256, receipt.duplicate) == (sent.id, sent.image_sha256, False)
    assert side.images() == {sent.id: sent.image}


def test_sending_again_stores_nothing_twice(side: Side) -> None:
    sent = capture(1)
    side.target.send(sent)

    assert side.target.send(sent).duplicate is True
    assert side.images() == {sent.id: sent.image}


def test_another_image_under_the_same_id_is_rejected(side: Side) -> None:
    if not side.knows_ids:
        pytest.skip("this far side knows images by their bytes alone")
    side.target.send(capture(1, b"first"))
    with pytest.raises(CaptureRejected):
        side.target.send(capture(1, b"second"))

    assert list(side.images().values()) == [b"first"]


def test_different_captures_may_be_sent_at_once(side: Side) -> None:
    sent = [capture(number) for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(side.target.send, sent))

    assert [receipt.id for receipt in receipts] == [made.id for made in sent]
    assert side.images() == {made.id: made.image for made in sent}


def test_any_bytes_arrive_unchanged(side: Side) -> None:
    awkward = b"\xff\xd8" + bytes(range(256)) * 300 + b"\r\n--boundary--\r\n"
    side.target.send(capture(1, awkward))

    assert list(side.images().values()) == [awkward]


def test_trouble_that_passes_is_unavailable_and_then_passes(side: Side) -> None:
    side.make_unavailable()
    with pytest.raises(TargetUnavailable):
        side.target.send(capture(1))
    side.mend()

    assert side.target.send(capture(1)).duplicate is False


def test_trouble_that_a_person_must_mend_holds_until_then(side: Side) -> None:
    side.make_held()
    with pytest.raises(TargetBlocked) as caught:
        side.target.send(capture(1))
    side.mend()

    assert TOKEN not in str(caught.value)
    assert side.images() == {}
    assert side.target.send(capture(1)).duplicate is False


def test_a_probe_stores_nothing_and_says_something(side: Side) -> None:
    assert side.target.probe()
    assert side.images() == {}


def test_the_name_may_be_shown(side: Side) -> None:
    assert side.target.name
    assert TOKEN not in side.target.name
