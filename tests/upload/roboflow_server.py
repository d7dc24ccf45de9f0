"""Roboflow's upload interface as its open clients meet it, with its ways to fail.

Images are known by their exact bytes: the same bytes again are answered with `duplicate` and the id
that they have. An image that was just stored may not be found for a moment.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from tests.upload.fake_web import Call, Drop, FakeWeb, Reply

BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head></html>"


@dataclass
class Image:
    """One image of the project."""

    id: str
    data: bytes = field(repr=False)
    name: str = ""
    batch: str = ""
    tags: list[str] = field(default_factory=list)
    split: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    predictions: list[dict[str, Any]] = field(default_factory=list)  # one for each annotation
    classes: list[str] = field(default_factory=list)  # in a project for classification
    looks_until_visible: int = 0


class RoboflowServer(FakeWeb):
    """The project `cars` of the workspace `acme`.

    Each upload, and each annotation, first meets the next of `upload_faults` or `annotate_faults`.
    """

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key
        self.kind = "object-detection"
        """Or "classification"."""
        self.images: dict[str, Image] = {}
        self.upload_faults: deque[Callable[[], Reply | None]] = deque()
        """None as the response: the image is stored, and no response comes."""
        self.annotate_faults: deque[Callable[[], Reply | None]] = deque()
        self.failure: Reply | None = None
        """What every request is answered while it is set."""
        self.looks_until_visible = 0
        self.stop_at: str | None = None
        """The moment at which a request halts: received, stored, asked or annotated."""
        self.stopped = Event()
        self._go_on = Event()

    @property
    def url(self) -> str:
        return f"roboflow+http://{self.host}/cars"

    def go_on(self) -> None:
        """End the halt at `stop_at`, whose request meets a connection that is gone."""
        self.stop_at = None
        self._go_on.set()

    def response(self, call: Call) -> Reply:
        if call.value("api_key") != self.key:
            said = f"This API key does not exist: {call.value('api_key')}"
            return 401, {"error": {"message": said, "status": 401}}
        if self.failure is not None:
            return self.failure
        about = {"id": "acme/cars", "type": self.kind, "images": len(self.images)}
        match call.method, call.path.split("/")[1:]:
            case "POST", ["dataset", "cars", "upload"]:
                return self._upload(call)
            case "POST", ["dataset", "cars", "annotate", image_id]:
                return self._annotate(call, image_id)
            case "GET", [""]:
                reply: Reply = 200, {"welcome": "Welcome.", "workspace": "acme"}
            case "GET", ["acme", "cars"]:
                reply = 200, {"workspace": {"url": "acme"}, "project": about}
            case _:
                reply = 404, {"error": {"message": "Unsupported request.", "type": "X"}}
        return reply

    def _upload(self, call: Call) -> Reply:
        self._halt("received")
        if self.upload_faults:
            fault = self.upload_faults.popleft()()
            if fault is not None:
                return fault
            self._store(call)
            raise Drop
        reply = self._store(call)
        self._halt("stored")
        return reply

    def _store(self, call: Call) -> Reply:
        parts = call.form()
        data = parts["file"]
        if not data.startswith(b"\xff\xd8"):
            said = {"message": "Invalid Image", "type": "InvalidImageException", "hint": "?"}
            return 400, {"error": said}
        image_id = hashlib.sha1(data).hexdigest()[:20]
        with self.lock:
            if image_id in self.images:
                return 200, {"duplicate": True, "id": image_id}
            self.images[image_id] = Image(
                image_id,
                data,
                name=parts["name"].decode(),
                batch=call.value("batch") or "",
                tags=call.values("tag"),
                split=parts["split"].decode() if "split" in parts else None,
                metadata=json.loads(parts["metadata"]),
                looks_until_visible=self.looks_until_visible,
            )
        return 200, {"success": True, "id": image_id}

    def _annotate(self, call: Call, image_id: str) -> Reply:
        self._halt("asked")
        image = self.images.get(image_id)
        if image is None or image.looks_until_visible > 0:
            if image is not None:
                image.looks_until_visible -= 1
            return 404, {"error": {"message": "Image not found.", "type": "GraphMethodException"}}
        if self.annotate_faults:
            fault = self.annotate_faults.popleft()()
            if fault is not None:
                return fault
            self._label(image, call)
            raise Drop
        reply = self._label(image, call)
        self._halt("annotated")
        return reply

    def _label(self, image: Image, call: Call) -> Reply:
        if call.headers.get("content-type") != "text/plain" or call.value("prediction") != "true":
            return 400, {"error": {"message": "Unrecognized annotation format."}}
        if image.predictions or image.classes:
            said = {"message": "Image was already annotated.", "type": "InvalidImageException"}
            return 409, {"error": said}
        name = call.value("name") or ""
        if self.kind == "classification":
            if not name.endswith(".txt") or call.body.strip()[:1] in (b"", b"{"):
                return 400, {"error": {"message": "Unrecognized annotation format."}}
            image.classes.append(call.body.decode())
        elif name.endswith(".json"):
            image.predictions.append(call.json())
        else:
            return 400, {"error": {"message": "Unrecognized annotation format."}}
        return 200, {"success": True}

    def _halt(self, moment: str) -> None:
        if self.stop_at == moment:
            self.stopped.set()
            self._go_on.wait(60)
            raise Drop
