"""What every target promises, asked of each of them."""

import base64
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from agent.dataset.folder import Dataset
from agent.domain import Receipt, StoredCapture
from agent.errors import CaptureRejected, TargetBlocked, TargetUnavailable
from agent.ports import UploadTarget
from agent.receiver.receiver import Receiver
from agent.upload.http.options import HttpOptions
from agent.upload.targets.context import TargetContext
from agent.upload.targets.endpoint import EndpointTarget
from agent.upload.targets.factory import make_target
from agent.upload.targets.folder import FolderTarget
from agent.upload.targets.label_studio import LabelStudioTarget
from agent.upload.targets.registry import TARGETS, TargetRow
from agent.upload.targets.roboflow import RoboflowTarget
from agent.upload.targets.s3 import S3Target
from tests.fakes.captures import of_first_schema, stored_capture, with_clip
from tests.fakes.clock import ManualClock
from tests.fakes.disk.real import RefusingDisk
from tests.upload.fake_target import FakeTarget
from tests.upload.faulty_server import FaultyServer, response
from tests.upload.label_studio_server import LabelStudioServer
from tests.upload.roboflow_server import RoboflowServer
from tests.upload.s3_store import ENVIRONMENT, S3Store

TOKEN = "s3cret"


@dataclass
class Side:
    """A target, a look at what its endpoint holds, and ways to break it and fix it."""

    target: UploadTarget
    images: Callable[[], dict[str, bytes]]
    make_unavailable: Callable[[], None]
    make_blocked: Callable[[], None]
    fix: Callable[[], None]
    knows_ids: bool = True
    """False where images are known by their bytes alone, so that an id means nothing."""


def images_in(directory: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in directory.glob("images/*.jpg")}


def http_side(directory: Path) -> Iterator[Side]:
    disk = RefusingDisk()
    receiver = Receiver(Dataset(directory, disk), token=TOKEN)

    def refuse() -> None:
        receiver.token = "changed"

    def fill() -> None:
        disk.refuses = OSError(28, "No space left on device")

    def fix() -> None:
        receiver.token, disk.refuses = TOKEN, None

    with ExitStack() as stack:
        stack.callback(receiver.stop)
        receiver.start()
        target = EndpointTarget(receiver.url, token=TOKEN, clock=ManualClock())
        stack.enter_context(target)
        yield Side(target, lambda: images_in(directory), fill, refuse, fix)


def directory_side(directory: Path) -> Iterator[Side]:
    disk = RefusingDisk()

    def fail(number: int, words: str) -> Callable[[], None]:
        return lambda: setattr(disk, "refuses", OSError(number, words))

    yield Side(
        FolderTarget(Dataset(directory, disk), disk),
        lambda: images_in(directory),
        fail(28, "No space left on device"),
        fail(30, "Read-only file system"),
        lambda: setattr(disk, "refuses", None),
    )


def fake_side(_directory: Path) -> Iterator[Side]:
    fake = FakeTarget()
    yield Side(
        fake,
        lambda: {capture_id: stored.image for capture_id, stored in fake.stored.items()},
        lambda: setattr(fake, "failure", TargetUnavailable("down")),
        lambda: setattr(fake, "failure", TargetBlocked("locked")),
        lambda: setattr(fake, "failure", None),
    )


def roboflow_side(_directory: Path) -> Iterator[Side]:
    with RoboflowServer(TOKEN) as server:

        def fix() -> None:
            server.key, server.failure = TOKEN, None

        with RoboflowTarget(server.url, token=TOKEN, clock=ManualClock()) as target:
            yield Side(
                target,
                lambda: {image.name[:-4]: image.data for image in server.images.values()},
                lambda: setattr(server, "failure", (502, b"<html>Bad Gateway</html>")),
                lambda: setattr(server, "key", "changed"),
                fix,
                knows_ids=False,
            )


def s3_side(_directory: Path) -> Iterator[Side]:
    with pytest.MonkeyPatch.context() as environment, S3Store() as store:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": store.endpoint}.items():
            environment.setenv(name, value)
        yield Side(
            S3Target(store.url, clock=ManualClock()),
            lambda: {
                Path(key).stem: store.read(key) for key in store.stored() if key.endswith(".jpg")
            },
            lambda: setattr(store, "failure", ("503 Slow Down", "SlowDown")),
            lambda: setattr(store, "failure", ("403 Forbidden", "AccessDenied")),
            lambda: setattr(store, "failure", None),
        )


def label_studio_side(_directory: Path) -> Iterator[Side]:
    with LabelStudioServer() as server:
        server.legacy = TOKEN

        def images() -> dict[str, bytes]:
            return {
                task.data["capture_id"]: base64.b64decode(task.data["image"].partition(",")[2])
                for task in server.tasks
            }

        def fix() -> None:
            server.legacy, server.failure = TOKEN, None

        with LabelStudioTarget(server.url, token=TOKEN, clock=ManualClock()) as target:
            yield Side(
                target,
                images,
                lambda: setattr(server, "failure", (500, b"<html>Server Error</html>")),
                lambda: setattr(server, "legacy", "changed"),
                fix,
            )


SIDES: Mapping[str, Callable[[Path], Iterator[Side]]] = {
    "agent.upload.targets.endpoint:EndpointTarget": http_side,
    "agent.upload.targets.folder:FolderTarget": directory_side,
    "agent.upload.targets.roboflow:RoboflowTarget": roboflow_side,
    "agent.upload.targets.s3:S3Target": s3_side,
    "agent.upload.targets.label_studio:LabelStudioTarget": label_studio_side,
    "tests.upload.fake_target:FakeTarget": fake_side,
}
"""The endpoint that the contract is tested with, by the class as `TARGETS` names it."""


def without_side(targets: tuple[TargetRow, ...]) -> list[str]:
    """Return the classes of `targets` that the contract is not tested with."""
    return [row.target_class for row in targets if row.target_class not in SIDES]


@contextmanager
def without_proof(row: TargetRow, directory: Path) -> Iterator[UploadTarget]:
    """Yield the row's target with an endpoint that answers 200 and `{}` to every request.

    A folder has no response: there, every write fails. An address without a host is reached by
    the variables that S3 tools read.
    """
    disk = RefusingDisk()
    disk.refuses = OSError(28, "No space left on device")
    with FaultyServer(response(200, b"{}")) as server, pytest.MonkeyPatch.context() as environment:
        host = urlsplit(server.url).netloc
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": f"http://{host}"}.items():
            environment.setenv(name, value)
        address = row.forms[-1].replace("PROJECT", "cars").replace("BUCKET", "bucket")
        address = address.replace("HOST", host).replace("/ID", "/1")
        target = make_target(
            address.replace(":/PATH", f":{directory}"),
            TargetContext(
                token=TOKEN,
                network=HttpOptions(timeout=60.0),
                clock=ManualClock(),
                disk=disk,
                capture_folder=lambda path: Dataset(path, disk),
            ),
            targets=(row,),
        )
        with target if isinstance(target, AbstractContextManager) else nullcontext():
            yield target


def require_proof_demanded(row: TargetRow, directory: Path) -> None:
    """Fail unless the row's target delivers nothing to an endpoint that proves nothing."""
    with (
        without_proof(row, directory) as target,
        pytest.raises((TargetBlocked, TargetUnavailable, CaptureRejected)),
    ):
        target.send(stored_capture(1))


class UnprovedTarget:
    """A planted fault: takes every response for a delivery."""

    name = "unproved"

    @classmethod
    def from_url(cls, _url: str, _context: TargetContext) -> "UnprovedTarget":
        return cls()

    def send(self, sent: StoredCapture) -> Receipt:
        return Receipt(sent.id, sent.image_sha256)

    def probe(self) -> str:
        return "reachable"


UNPROVED = replace(
    TARGETS[0], forms=("planted://HOST",), target_class=f"{__name__}:{UnprovedTarget.__name__}"
)


def test_the_contract_is_tested_with_each_target() -> None:
    assert without_side(TARGETS) == []


def test_a_target_without_contract_test_is_found() -> None:
    assert without_side((*TARGETS, UNPROVED)) == [UNPROVED.target_class]


@pytest.mark.parametrize("row", TARGETS, ids=lambda row: row.forms[0])
def test_an_endpoint_that_answers_200_without_proof_delivers_nothing(
    row: TargetRow, tmp_path: Path
) -> None:
    require_proof_demanded(row, tmp_path / "set")


def test_a_target_that_asks_for_no_proof_is_found(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        require_proof_demanded(UNPROVED, tmp_path)


def test_each_side_has_the_target_that_its_row_names(tmp_path: Path) -> None:
    for row in TARGETS:
        for side in SIDES[row.target_class](tmp_path / row.schemes[0]):
            made = type(side.target)
            assert f"{made.__module__}:{made.__name__}" == row.target_class


@pytest.fixture(params=SIDES.values(), ids=lambda side: side.__name__)
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    yield from request.param(tmp_path / "set")


def test_a_receipt_repeats_id_and_checksum_and_the_endpoint_has_the_image(side: Side) -> None:
    sent = stored_capture(1)
    receipt = side.target.send(sent)

    assert (receipt.id, receipt.sha256, receipt.duplicate) == (sent.id, sent.image_sha256, False)
    assert side.images() == {sent.id: sent.image}


FRAMES = (b"\xff\xd8 before \xff\xd9", b"\xff\xd8 at it \xff\xd9")


def test_a_capture_with_a_clip_is_delivered_once(side: Side) -> None:
    sent = with_clip(1, *FRAMES)
    receipt = side.target.send(sent)

    assert (receipt.id, receipt.sha256) == (sent.id, sent.image_sha256)
    assert side.images() == {sent.id: sent.image}
    assert side.target.send(sent).duplicate is True


@pytest.mark.parametrize("row", TARGETS, ids=lambda row: row.forms[0])
def test_the_receipt_of_a_target_that_takes_clips_proves_them(
    row: TargetRow, tmp_path: Path
) -> None:
    sent = with_clip(1, *FRAMES)
    for side in SIDES[row.target_class](tmp_path / "set"):
        for _ in range(2):
            proved = side.target.send(sent).clip_sha256
            assert proved == (sent.clip_sha256 if row.takes_clips else None)
        assert side.target.send(stored_capture(2)).clip_sha256 is None


def test_a_record_of_an_older_version_is_delivered(side: Side) -> None:
    sent = of_first_schema(1)

    receipt = side.target.send(sent)

    assert (receipt.id, receipt.sha256) == (sent.id, sent.image_sha256)
    assert side.images() == {sent.id: sent.image}


def test_sending_again_stores_nothing_twice(side: Side) -> None:
    sent = stored_capture(1)
    side.target.send(sent)

    assert side.target.send(sent).duplicate is True
    assert side.images() == {sent.id: sent.image}


def test_another_image_under_the_same_id_is_rejected(side: Side) -> None:
    if not side.knows_ids:
        pytest.skip("this endpoint knows images by their bytes alone")
    side.target.send(stored_capture(1, b"first"))
    with pytest.raises(CaptureRejected):
        side.target.send(stored_capture(1, b"second"))

    assert list(side.images().values()) == [b"first"]


def test_different_captures_may_be_sent_at_once(side: Side) -> None:
    sent = [stored_capture(number) for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(side.target.send, sent))

    assert [receipt.id for receipt in receipts] == [made.id for made in sent]
    assert side.images() == {made.id: made.image for made in sent}


def test_any_bytes_arrive_unchanged(side: Side) -> None:
    awkward = b"\xff\xd8" + bytes(range(256)) * 300 + b"\r\n--boundary--\r\n"
    side.target.send(stored_capture(1, awkward))

    assert list(side.images().values()) == [awkward]


def test_failure_that_passes_is_unavailable_and_then_passes(side: Side) -> None:
    side.make_unavailable()
    with pytest.raises(TargetUnavailable):
        side.target.send(stored_capture(1))
    side.fix()

    assert side.target.send(stored_capture(1)).duplicate is False


def test_failure_that_a_person_must_fix_blocks_until_then(side: Side) -> None:
    side.make_blocked()
    with pytest.raises(TargetBlocked) as caught:
        side.target.send(stored_capture(1))
    side.fix()

    assert TOKEN not in str(caught.value)
    assert side.images() == {}
    assert side.target.send(stored_capture(1)).duplicate is False


def test_a_probe_stores_nothing_and_says_something(side: Side) -> None:
    assert side.target.probe()
    assert side.images() == {}


def test_the_name_may_be_shown(side: Side) -> None:
    assert side.target.name
    assert TOKEN not in side.target.name
