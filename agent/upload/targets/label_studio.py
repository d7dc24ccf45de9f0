"""The target `label-studio+https://HOST/projects/ID`: tasks with the model's boxes to correct.

Label Studio takes whatever it is sent, as often as it is sent, so a delivery looks before it acts:

1. Is there a task with this id in its data? If not, import one.
2. Has the task its boxes? If not, add them. An import may lose them and report success: with the
   default database it did so for a third of those that came at the same time (1.23), so this
   target makes one import at a time, and counts on nothing.

Either step is safe to repeat after a lost response or a restart. The look reads through all tasks
of the project (0.4 s for 3,000 of them in the default database), so it is left out where nothing
can be found: for a capture that was made since this process started and was not sent yet. What
remains is an import whose response was lost and that the server finishes only after the next look.

Label Studio also stores boxes under names that the project does not have, and never shows them:
so the names are read from the project.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Self

from agent.domain import Receipt, StoredCapture, Task
from agent.errors import CaptureRejected, ConfigurationError, TargetBlocked, TargetUnavailable
from agent.ports import Clock
from agent.printable import printable
from agent.progress import turn
from agent.record.shapes import task_of
from agent.record.summary import Annotate, LabelledClass, class_of, labels_of
from agent.redaction import redact_endpoint
from agent.upload.http.client import Client
from agent.upload.http.options import HttpOptions
from agent.upload.response import Response, error_text, no_object, refusal
from agent.upload.response_json import Fields, json_object
from agent.upload.targets.address import parse_http
from agent.upload.targets.context import TargetContext
from agent.upload.targets.label_names import comparison, missing
from agent.upload.targets.label_studio_login import login_with
from agent.upload.targets.label_studio_regions import Regions, cannot_show, regions_of
from agent.upload.targets.label_studio_task import (
    Interface,
    choice_of,
    data_of,
    interface_of,
    prediction_of,
)
from agent.upload.targets.url_options import UrlOptions

_ALLOWED = "must be label-studio+https://HOST/projects/ID"
_ADDRESS = re.compile(r"(?P<base>.+)/projects/(?P<project>[0-9]{1,18})(/data)?/?")
_OK = frozenset({200, 201})
_REFUSED = frozenset({400, 413, 415, 422})
_SETTLING_S = 10.0  # an import whose response was lost may still be under way
_ATTEMPTS_MAX = 4096


@dataclass(frozen=True, slots=True)
class _Task:
    """A task of the project."""

    id: int
    has_boxes: bool


class LabelStudioTarget(AbstractContextManager["LabelStudioTarget"]):
    """Delivers to the project that `url` names, with the access token `token` of a user.

    `boot` is the name of this boot, as records have it; empty: unknown, so every capture is
    searched for.

    Raises `ConfigurationError` for an address or token that can never work.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        clock: Clock,
        network: HttpOptions | None = None,
        boot: str = "",
    ) -> None:
        base, self._project, query = _taken_apart(url)
        self._annotate = UrlOptions(query, ("annotate",)).choice("annotate", Annotate.THRESHOLD)
        self.name = redact_endpoint(url)
        self._client = Client(base, clock=clock, network=network)
        self._login = login_with(token, self._client, clock)
        self._boot = boot
        self._started_ns = clock.monotonic() * 1e9
        self._lock = Lock()
        self._attempted: set[str] = set()  # ids whose import may have been stored unseen
        self._writing = Lock()
        self._interface: Interface | None = None

    @classmethod
    def from_url(cls, url: str, context: TargetContext) -> Self:
        """Make the target for `url`; see `OpensTarget`."""
        return cls(
            url,
            token=context.token,
            clock=context.clock,
            network=context.network,
            boot=context.boot,
        )

    def __exit__(self, *_: object) -> None:
        """Close the connections that are kept alive."""
        self._client.close()

    def send(self, capture: StoredCapture) -> Receipt:
        """Deliver one capture; see `UploadTarget`."""
        try:
            labels = labels_of(capture.record, self._annotate)
            best = class_of(capture.record, self._annotate)
        except ValueError as error:
            raise CaptureRejected(f"cannot deliver {capture.id}: {error}") from error
        interface = self._known_interface()
        if self._annotate is not Annotate.OFF:
            is_class = "classes" in capture.record
            _require_place(interface, Task.CLASSIFY if is_class else task_of(capture.record))
        regions = Regions() if labels is None else regions_of(labels, interface.controls)
        prediction = prediction_of(capture.record, regions)
        prediction = prediction or choice_of(capture.record, best, interface)
        found = None if self._is_new(capture) else self._look(capture)
        self._note_attempt(capture.id)
        with turn(self._writing, "its turn to import"):
            task = found or self._store(data_of(capture, interface), prediction)
            if prediction is not None and not task.has_boxes:
                self._add(task, prediction)
        self._attempted.discard(capture.id)
        classes = interface.choices.labels if interface.choices is not None else frozenset()
        return Receipt(
            capture.id,
            capture.image_sha256,
            duplicate=found is not None,
            left_out=(*regions.left_out, *missing(_names(best), classes)),
        )

    def probe(self) -> str:
        """Look at the project and its labelling interface; see `UploadTarget`."""
        project = self._read_project()
        interface = self._usable(project)
        title, tasks = project.text("title"), project.count("task_number")
        shown = f" '{printable(title)}'" if title else ""
        controls = interface.controls
        places = {
            "boxes": controls.boxes,
            "polygons": controls.polygons,
            "keypoints": controls.keypoints,
            "classes": interface.choices,
        }
        told = [f"{what} in {tag.name!r}" for what, tag in places.items() if tag is not None]
        takes = "no boxes" if self._annotate is Annotate.OFF else ", ".join(told)
        return f"the project{shown} has {tasks or 0} tasks; images in {controls.image!r}, {takes}"

    def compare_labels(self, labels: Sequence[str], task: Task = Task.DETECT) -> str | None:
        """Compare the model's labels and task with the project's; see `KnowsLabels`."""
        if self._annotate is Annotate.OFF:
            return None
        interface = self._known_interface()
        _require_place(interface, task)
        said = (comparison(labels, interface.labels), cannot_show(task, interface.controls))
        return "; ".join(text for text in said if text) or None

    def _is_new(self, capture: StoredCapture) -> bool:
        """Whether no process, this one or an earlier one, can have sent this capture before."""
        if capture.id in self._attempted or capture.record.get("boot_id") != self._boot:
            return False
        made = capture.record.get("monotonic_ns")
        return bool(self._boot) and isinstance(made, int) and made > self._started_ns

    def _look(self, capture: StoredCapture) -> _Task | None:
        """Return the task of this capture; raise `CaptureRejected` if it has another image."""
        found = self._search(capture_id=capture.id)
        if found is None or self._search(capture_id=capture.id, sha256=capture.image_sha256):
            return found
        raise CaptureRejected(f"cannot deliver {capture.id}: another image has this id")

    def _search(self, **data: str) -> _Task | None:
        """Return a task with these values in its data."""
        items = [
            {
                "filter": f"filter:tasks:data.{key}",
                "operator": "equal",
                "type": "String",
                "value": v,
            }
            for key, v in data.items()
        ]
        query = {"filters": {"conjunction": "and", "items": items}}
        response = self._ask(
            "GET",
            "/api/tasks",
            # Without `include` the response would repeat the images.
            query=[
                ("project", self._project),
                ("page_size", "1"),
                ("include", "id"),
                ("query", json.dumps(query)),
            ],
        )
        parsed = self._object(response, "cannot look for the capture")
        tasks, predictions = parsed.objects("tasks"), parsed.count("total_predictions")
        number = tasks[0].count("id") if tasks else None
        if tasks is None or predictions is None or (tasks and number is None):
            raise TargetBlocked(
                "cannot look for the capture: the response lists no tasks; check AGENT_UPLOAD_URL"
            )
        return None if number is None else _Task(number, has_boxes=predictions > 0)

    def _store(self, data: Mapping[str, Any], prediction: Mapping[str, Any] | None) -> _Task:
        """Import a task, preferably with its boxes."""
        task = {"data": data, "predictions": [] if prediction is None else [prediction]}
        query = [("return_task_ids", "true")]
        path = f"/api/projects/{self._project}/import"
        parsed = self._object(self._write(path, [task], query), "cannot deliver the capture")
        numbers = parsed.counts("task_ids")
        if not numbers:
            raise TargetUnavailable(
                "cannot deliver the capture: Label Studio took it, but shows no task of it yet",
                retry_after=_SETTLING_S,
            )
        return _Task(numbers[0], has_boxes=parsed.count("prediction_count") == 1)

    def _add(self, task: _Task, prediction: Mapping[str, Any]) -> None:
        """Add the boxes to a task."""
        response = self._write("/api/predictions/", {"task": task.id, **prediction})
        self._object(response, "the image is stored, but its boxes are not")

    def _write(self, path: str, content: object, query: Sequence[tuple[str, str]] = ()) -> Response:
        try:
            response = self._ask(
                "POST",
                path,
                query=query,
                headers={"Content-Type": "application/json"},
                body=json.dumps(content).encode(),
                repeatable=False,
            )
        except TargetUnavailable as error:
            raise TargetUnavailable(str(error), retry_after=_SETTLING_S) from error
        if response.status in _REFUSED:
            # The interface may have been changed: the next attempt reads it again.
            self._interface = None
        return response

    def _known_interface(self) -> Interface:
        if self._interface is None:
            self._interface = self._usable(self._read_project())
        return self._interface

    def _read_project(self) -> Fields:
        include = "id,title,task_number,parsed_label_config"
        response = self._ask("GET", f"/api/projects/{self._project}", query=[("include", include)])
        return self._object(response, "cannot use the project")

    def _usable(self, project: Fields) -> Interface:
        """Return the names in the labelling interface; raise `TargetBlocked` if it does not fit."""
        interface = interface_of(project.fields("parsed_label_config"))
        if interface is None:
            raise TargetBlocked(
                "cannot use the project: its labelling interface shows no image; add "
                '<Image name="image" value="$image"/> and a <RectangleLabels> with your labels'
            )
        if interface.choices is None and self._annotate is not Annotate.OFF:
            _require_place(interface, Task.SEGMENT)  # which most interfaces can show
        return interface

    def _ask(self, method: str, path: str, *, repeatable: bool = True, **request: Any) -> Response:
        """Make a request as the token's user; log in again and repeat it if the login expired."""
        sent = request.pop("headers", {})
        headers = self._login.headers()
        response = self._client.request(
            method, path, headers={**sent, **headers}, repeatable=repeatable, **request
        )
        if response.status == 401 and self._login.renew(headers):  # noqa: PLR2004
            headers = self._login.headers()
            response = self._client.request(
                method, path, headers={**sent, **headers}, repeatable=repeatable, **request
            )
        return response

    def _object(self, response: Response, cannot: str) -> Fields:
        """Return the JSON of a response 200 or 201; raise the error that any other one means."""
        if response.status in _REFUSED:
            said = error_text(response.body, *self._login.secrets)
            raise CaptureRejected(f"{cannot}: Label Studio answers {response.status}{said}")
        if response.status not in _OK:
            raise refusal(response, cannot)
        missing = no_object(response.body)
        if missing is not None:
            raise TargetBlocked(f"{cannot}: the response {response.status} {missing}")
        return json_object(response.body) or Fields()

    def _note_attempt(self, capture_id: str) -> None:
        with self._lock:
            self._attempted.add(capture_id)
            if len(self._attempted) > _ATTEMPTS_MAX:  # search for every one rather than forget one
                self._started_ns = math.inf
                self._attempted.clear()


def _names(best: LabelledClass | None) -> set[str]:
    return set() if best is None else {best.label}


def _require_place(interface: Interface, task: Task) -> None:
    """Raise `TargetBlocked` if the interface cannot show what is sent of a model of this task."""
    controls = interface.controls
    if task is Task.CLASSIFY:
        place, what, tag = interface.choices, "a class", "Choices"
    else:
        place, what, tag = controls.boxes, "the boxes", "RectangleLabels"
    if place is None and task in {Task.SEGMENT, Task.OBB}:
        place = controls.polygons
    if place is None:
        raise TargetBlocked(
            f"cannot use the project: its labelling interface has no <{tag}>, so nobody would "
            f"see {what}; add it with your labels, or annotate=off to AGENT_UPLOAD_URL"
        )


def _taken_apart(url: str) -> tuple[str, str, str]:
    """Return server, project number and options of an address."""
    place, _, query = url.partition("?")
    match = _ADDRESS.fullmatch(place[len("label-studio+") :])
    if match is None:
        raise ConfigurationError(f"AGENT_UPLOAD_URL: {_ALLOWED}, not {redact_endpoint(url)!r}")
    parse_http(match["base"], _ALLOWED)
    return match["base"], match["project"], query
