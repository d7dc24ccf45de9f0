"""Label Studio 1.23 as it was met: what it takes, what it answers, and what it loses.

Every import makes a task, also of what is there already. Of imports that come at the same time the
boxes may be lost, and the response is 201 all the same, with `prediction_count` 0.
"""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.upload.fake_web import Call, Drop, FakeWeb, Reply

LEGACY = "0123456789abcdef0123456789abcdef01234567"
PERSONAL = "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.s3cret_s3cret"
NOT_FOUND = b"<!doctype html>\n<html><title>404 | Label Studio</title></html>"
RECTANGLES = {
    "objects": {
        "type": "RectangleLabels",
        "to_name": ["photo"],
        "inputs": [{"type": "Image", "valueType": None, "value": "image"}],
        "labels": ["car", "person"],
        "labels_attrs": {},
    }
}


@dataclass
class Task:
    """One task of the project."""

    id: int
    data: dict[str, Any] = field(repr=False)
    predictions: list[dict[str, Any]] = field(default_factory=list)


class LabelStudioServer(FakeWeb):
    """The project 7 of a server with both kinds of tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.legacy: str | None = LEGACY
        self.personal: str | None = PERSONAL
        self.config: dict[str, Any] = RECTANGLES
        self.tasks: list[Task] = []
        self.failure: Reply | None = None
        """What every request is answered while it is set."""
        self.faults: deque[Callable[[], Reply | None]] = deque()
        """What the next imports meet; None as the response: stored, and no response comes."""
        self.loses_boxes = 0
        """Of how many of the next imports the boxes get lost."""
        self.importing = 0
        self.most_importing = 0
        self._access: set[str] = set()

    @property
    def url(self) -> str:
        return f"label-studio+http://{self.host}/projects/7"

    def expire(self) -> None:
        """The five minutes of the access tokens are over."""
        self._access.clear()

    def response(self, call: Call) -> Reply:
        if self.failure is not None:
            return self.failure
        if call.path == "/api/token/refresh":
            return self._refresh(call)
        if not self._is_known(call):
            return _error(401, "Authentication credentials were not provided.")
        answers = {
            ("GET", "/api/projects/7"): self._project,
            ("GET", "/api/tasks"): self._search,
            ("POST", "/api/projects/7/import"): self._import,
            ("POST", "/api/predictions/"): self._predict,
        }
        found = answers.get((call.method, call.path))
        if found is not None:
            return found(call)
        return (404, NOT_FOUND) if call.method == "POST" else _error(404, "No Project matches")

    def _project(self, _call: Call) -> Reply:
        about = {"id": 7, "title": "yard", "task_number": len(self.tasks)}
        return 200, {**about, "parsed_label_config": self.config}

    def _refresh(self, call: Call) -> Reply:
        if call.json().get("refresh") != self.personal:
            return _error(401, "Token is blacklisted")
        token = f"eyJhbGciOiJIUzI1NiJ9.{uuid4().hex}.access"
        self._access.add(token)
        return 200, {"access": token}

    def _is_known(self, call: Call) -> bool:
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        return (kind == "Token" and token == self.legacy) or (
            kind == "Bearer" and token in self._access
        )

    def _search(self, call: Call) -> Reply:
        if call.value("project") != "7":
            return _error(404, "No Project matches the given query.")
        filters = json.loads(call.value("query") or "{}")["filters"]
        assert filters["conjunction"] == "and"
        found = self.tasks
        for item in filters["items"]:
            assert (item["operator"], item["type"]) == ("equal", "String")
            key = item["filter"].removeprefix("filter:tasks:data.")
            found = [task for task in found if task.data.get(key) == item["value"]]
        page = found[: int(call.value("page_size") or "30")]
        shown = [
            {"id": task.id}
            if call.value("include") == "id"
            else {"id": task.id, "data": task.data, "predictions": task.predictions}
            for task in page
        ]
        boxes = sum(len(task.predictions) for task in found)
        return 200, {
            "total_annotations": 0,
            "total_predictions": boxes,
            "total": len(found),
            "tasks": shown,
        }

    def _import(self, call: Call) -> Reply:
        with self.lock:
            self.importing += 1
            self.most_importing = max(self.most_importing, self.importing)
        try:
            fault = self.faults.popleft()() if self.faults else ()
            if fault and isinstance(fault, tuple):
                return fault
            time.sleep(0.01)
            reply = self._store(call)
            if fault is None:
                raise Drop
            return reply
        finally:
            with self.lock:
                self.importing -= 1

    def _store(self, call: Call) -> Reply:
        (sent,) = call.json()
        needed = {source["value"] for tag in self.config.values() for source in tag["inputs"]}
        missing = needed - sent["data"].keys()
        if missing:
            said = f'Error at item 0: "{min(missing)}" key is expected in task data :: {sent}'
            return _error(400, "Validation error", non_field_errors=[said])
        with self.lock:
            task = Task(3000 + len(self.tasks), sent["data"], sent.get("predictions", []))
            if self.loses_boxes:
                self.loses_boxes -= 1
                task.predictions = []
            self.tasks.append(task)
        return 201, {
            "task_count": 1,
            "annotation_count": 0,
            "prediction_count": len(task.predictions),
            "duration": 0.05,
            "file_upload_ids": [],
            "could_be_tasks_list": False,
            "task_ids": [task.id],
        }

    def _predict(self, call: Call) -> Reply:
        sent = call.json()
        number = sent.pop("task")
        for task in self.tasks:
            if task.id == number:
                task.predictions.append(sent)
                return 201, {"id": 1, **sent}
        said = f'Invalid pk "{number}" - object does not exist.'
        return _error(400, "Validation error", task=[said])


def _error(status: int, detail: str, **errors: list[str]) -> Reply:
    return status, {
        "id": str(uuid4()),
        "status_code": status,
        "version": "1.23.2",
        "detail": detail,
        "exc_info": None,
        **({"validation_errors": errors} if errors else {}),
    }
