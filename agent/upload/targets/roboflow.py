"""The target `roboflow://PROJECT`: images with boxes or a class, for labelling in Roboflow.

A capture goes through two requests: its bytes are stored, which gives an image id, then its boxes
are attached to that id. Where a delivery breaks between them, the id is remembered in memory and no
more: Roboflow knows images by their exact bytes, so after a restart the same bytes are answered
with `duplicate` and the same id, and boxes that are there are answered with "already annotated".
A durable note of the phase would save that one request and cost each capture a write to flash.

A classifier's best class is attached as an annotation of its own kind: `<id>.txt`, which holds the
label and nothing else. Source: `encode_prediction` in roboflow/inference (Apache-2.0), which sends
a classifier's predictions to projects so.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from threading import Lock
from typing import Any, Self

from agent.domain import Receipt, StoredCapture, Task
from agent.errors import CaptureRejected, ConfigurationError, TargetBlocked, TargetUnavailable
from agent.ports import Clock
from agent.record.audit import auto_mark
from agent.record.shapes import task_of
from agent.record.summary import Annotate, capture_day, flat, rule_names, verdict_tags
from agent.record.verdicts import verdicts_on_others
from agent.redaction import redact_endpoint
from agent.upload.http.client import Client, checked_token
from agent.upload.http.options import HttpOptions
from agent.upload.response import Response, error_reason, error_text, no_object, refusal
from agent.upload.response_json import Fields, json_object
from agent.upload.targets.address import parse_http
from agent.upload.targets.context import TargetContext
from agent.upload.targets.roboflow_annotation import NO_ROTATION, annotation_of, cannot_show
from agent.upload.targets.url_options import UrlOptions

CLOUD = "https://api.roboflow.com"

_ALLOWED = "must be roboflow://PROJECT or roboflow+https://HOST/PROJECT"
_OPTIONS = ("annotate", "batch", "split", "tag")
_NAME = re.compile(r"\w[\w.-]{0,127}", re.ASCII)  # of a project, workspace or image
_OK, _BAD_REQUEST, _NOT_FOUND, _CONFLICT = 200, 400, 404, 409
_REFUSED = frozenset({400, 413, 415, 422})
_PAUSES = (0.5, 1.0, 2.0)  # seconds; an image is visible about half a second after its upload
_WITHOUT_BOXES = "the image is stored, but its boxes or its class are not"
_FIX = "; annotate=off in AGENT_UPLOAD_URL sends images alone"
_NO_VERDICTS = (
    "Roboflow has no place for verdicts on captures that were sent before, or that were none; a "
    "folder, a bucket or an endpoint of your own keeps them"
)
_REMEMBERED = 1024  # images without their boxes; beyond, the oldest is uploaded again


class Split(StrEnum):
    """The part of the dataset that images are put into; Roboflow chooses where none is given."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


class RoboflowTarget(AbstractContextManager["RoboflowTarget"]):
    """Delivers to the project that `url` names, with the API key `token`.

    `pause` waits for seconds, between two looks for an image that was just uploaded.

    Raises `ConfigurationError` for an address or key that can never work.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        clock: Clock,
        network: HttpOptions | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        base, self._project, query = _taken_apart(url)
        options = UrlOptions(query, _OPTIONS)
        self._annotate = options.choice("annotate", Annotate.THRESHOLD)
        split = options.one("split")
        self._split = options.choice("split", Split.TRAIN) if split is not None else None
        self._batch = options.one("batch")
        self._tags = options.all("tag")
        key = checked_token(token)
        if key is None:
            raise ConfigurationError(
                "AGENT_UPLOAD_TOKEN: must be the API key of the Roboflow workspace"
            )
        self._key = key
        self.name = redact_endpoint(url)
        self._pause = pause
        self._client = Client(base, clock=clock, network=network)
        self._kind: str | None = None  # the project's type, once it was looked up
        self._lock = Lock()
        self._uploaded: dict[str, tuple[str, bool]] = {}  # by capture id: image id, was there

    @classmethod
    def from_url(cls, url: str, context: TargetContext) -> Self:
        """Make the target for `url`; see `OpensTarget`."""
        return cls(url, token=context.token, clock=context.clock, network=context.network)

    def __exit__(self, *_: object) -> None:
        """Close the connections that are kept alive."""
        self._client.close()

    def send(self, capture: StoredCapture) -> Receipt:
        """Deliver one capture; see `UploadTarget`."""
        try:
            annotation = annotation_of(capture, self._annotate)
        except ValueError as error:
            raise CaptureRejected(f"cannot deliver {capture.id}: {error}") from error
        with self._lock:
            known = self._uploaded.get(capture.id)
        image_id, was_there = known or self._upload(capture)
        if annotation is not None:
            self._remember(capture.id, (image_id, was_there))
            self._attach(capture, image_id, annotation)
            self._remember(capture.id, None)
        rotated = annotation is not None and task_of(capture.record) is Task.OBB
        left_out = [NO_ROTATION] if rotated else []
        left_out += [_NO_VERDICTS] if verdicts_on_others(capture.record) else []
        return Receipt(
            capture.id, capture.image_sha256, duplicate=was_there, left_out=tuple(left_out)
        )

    def probe(self) -> str:
        """Look the project up; see `UploadTarget`."""
        workspace = self._look_up("").text("workspace")
        if workspace is None or not _NAME.fullmatch(workspace):
            return "the key is accepted; the workspace is not told"
        facts = self._look_up(f"{workspace}/{self._project}").fields("project")
        images, kind = facts.count("images"), facts.text("type")
        self._kind = kind
        holds = "is there" if images is None else f"holds {images} images"
        of_kind = f" ({kind})" if kind is not None and _NAME.fullmatch(kind) else ""
        return f"the project {workspace}/{self._project}{of_kind} {holds}"

    def compare_labels(self, labels: Sequence[str], task: Task = Task.DETECT) -> str | None:
        """Compare the model's task with the type of the project; see `KnowsLabels`.

        Roboflow takes any label, and adds it to the project.
        """
        del labels
        if self._kind is None and self._annotate is not Annotate.OFF:
            self.probe()
        return None if self._annotate is Annotate.OFF else cannot_show(task, self._kind)

    def _upload(self, capture: StoredCapture) -> tuple[str, bool]:
        """Store the image; return its id there, and whether it was stored before."""
        record = capture.record
        name = f"{capture.id}.jpg"
        parts = {
            "name": (None, name.encode(), "text/plain"),
            "metadata": (None, json.dumps(flat(record)).encode(), "text/plain"),
            "file": (name, capture.image, "image/jpeg"),
        }
        if self._split is not None:
            parts["split"] = (None, self._split.encode(), "text/plain")
        batch = self._batch or f"{capture_day(record)} {record.get('device', '')}".strip()
        # Jobs for labellers are made of batches: what the model labelled is in those of its own.
        batch = " ".join(filter(None, (batch, auto_mark(record))))
        query = [("api_key", self._key), ("batch", batch)]
        query += [("tag", tag) for tag in dict.fromkeys((*_tags(record), *self._tags))]
        response = self._client.request(
            "POST", f"/dataset/{self._project}/upload", query=query, body=parts, repeatable=True
        )
        parsed = self._object(response, "cannot deliver the capture")
        image_id = parsed.text("id")
        was_there = parsed.is_true("duplicate")
        if not (was_there or parsed.is_true("success")) or image_id is None:
            said = error_text(response.body, self._key) or ": without success or an image id"
            raise CaptureRejected(f"cannot deliver the capture: Roboflow answers 200{said}")
        if not _NAME.fullmatch(image_id):
            raise CaptureRejected("cannot deliver the capture: its image id there is no id")
        return image_id, was_there

    def _attach(self, capture: StoredCapture, image_id: str, annotation: tuple[str, str]) -> None:
        """Put boxes or a class on a stored image."""
        response = self._ask_to_attach(image_id, *annotation)
        for pause in _PAUSES:
            if response.status != _NOT_FOUND:
                break
            self._pause(pause)
            response = self._ask_to_attach(image_id, *annotation)
        if response.status == _NOT_FOUND:
            # It may be gone for good: the next attempt uploads it, which tells.
            self._remember(capture.id, None)
            raise TargetUnavailable("cannot deliver the boxes: Roboflow does not show the image")
        reason = error_reason(response.body, self._key)
        if response.status in (_CONFLICT, _BAD_REQUEST) and "already annotated" in reason.lower():
            return
        said = error_text(response.body, self._key)
        if response.status == _CONFLICT:
            # The image is stored; another conflict, such as with a job that runs, may pass.
            raise TargetUnavailable(f"{_WITHOUT_BOXES}: Roboflow answers 409{said}")
        if not self._object(response, _WITHOUT_BOXES).is_true("success"):
            raise CaptureRejected(f"{_WITHOUT_BOXES}: Roboflow answers 200{said}{_FIX}")

    def _ask_to_attach(self, image_id: str, name: str, text: str) -> Response:
        query = [("api_key", self._key), ("name", name), ("prediction", "true")]
        return self._client.request(
            "POST",
            f"/dataset/{self._project}/annotate/{image_id}",
            query=query,
            headers={"Content-Type": "text/plain"},
            body=text.encode(),
            repeatable=True,
        )

    def _look_up(self, path: str) -> Fields:
        response = self._client.request(
            "GET", f"/{path}", query=[("api_key", self._key)], repeatable=True
        )
        return self._object(response, "cannot use the project")

    def _object(self, response: Response, cannot: str) -> Fields:
        """Return the JSON of a response 200; raise the error that any other response means."""
        if response.status in _REFUSED:
            said = error_text(response.body, self._key)
            fix = _FIX if cannot == _WITHOUT_BOXES else ""
            raise CaptureRejected(f"{cannot}: Roboflow answers {response.status}{said}{fix}")
        if response.status != _OK:
            raise refusal(response, cannot)
        missing = no_object(response.body)
        if missing is not None:
            raise TargetBlocked(f"{cannot}: the response 200 {missing}")
        return json_object(response.body) or Fields()

    def _remember(self, capture_id: str, uploaded: tuple[str, bool] | None) -> None:
        with self._lock:
            self._uploaded.pop(capture_id, None)
            if uploaded is not None:
                while len(self._uploaded) >= _REMEMBERED:
                    del self._uploaded[next(iter(self._uploaded))]
                self._uploaded[capture_id] = uploaded


def _taken_apart(url: str) -> tuple[str, str, str]:
    """Return server, project and options of an address."""
    scheme, _, rest = url.partition("://")
    path, _, query = rest.partition("?")
    _, plus, transport = scheme.lower().partition("+")
    base, project = CLOUD, path.removesuffix("/")
    if plus:
        host, _, project = project.partition("/")
        base = f"{transport}://{host}"
        parse_http(base, _ALLOWED)
    if not _NAME.fullmatch(project):
        raise ConfigurationError(f"AGENT_UPLOAD_URL: {_ALLOWED}, not {redact_endpoint(url)!r}")
    return base, project, query


def _tags(record: Mapping[str, Any]) -> list[str]:
    """Return the tags by which a labeller filters images."""
    sampled = auto_mark(record) or record.get("lane")
    tags = (
        record.get("device"),
        record.get("camera"),
        sampled,
        *verdict_tags(record),
        *rule_names(record),
    )
    return [tag for tag in tags if isinstance(tag, str) and tag]
