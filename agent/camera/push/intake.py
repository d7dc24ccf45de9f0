"""Takes frames of `push:` cameras from an application, in any of its threads, without waiting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.camera.images.header import ImageFormat, ImageHeader, read_header
from agent.camera.images.own_jpeg import MOST_BYTES, check_complete
from agent.camera.push.door import PushDoor
from agent.camera.push.predictions import Expected, parse_predictions
from agent.camera.push.values import InvalidValue
from agent.domain import ModelInfo, Prediction, Task
from agent.errors import RefusalKind, RequestRefused, UnusableImage
from agent.printable import printable

_FORMATS = (ImageFormat.JPEG, ImageFormat.PNG)


@dataclass(frozen=True, slots=True)
class PushCamera:
    """A camera whose frames an application sends."""

    door: PushDoor
    task: Task | None  # of the predictions that must come with each frame; None: they may come


class PushIntake:
    """See `FrameIntake`. Reads the image's header and the predictions, and decodes nothing."""

    def __init__(
        self,
        cameras: Sequence[PushCamera],
        *,
        others: Sequence[str],
        floor: float,
        redact: Sequence[str],
        model: Callable[[], ModelInfo],
    ) -> None:
        """Take frames for `cameras`.

        Args:
            cameras: Those whose frames are pushed.
            others: Names of the other cameras, for messages.
            floor: Detections of a lower confidence are discarded.
            redact: Labels that the application's model must know, because they are hidden.
            model: Returns the agent's model in use.
        """
        self._cameras = {camera.door.camera: camera for camera in cameras}
        self._others = frozenset(others)
        self._floor = floor
        self._redact = tuple(redact)
        self._model = model
        self._pushed: dict[str, ModelInfo] = {}  # by camera: the application's latest one

    @property
    def doors(self) -> Mapping[str, PushDoor]:
        """The door of each camera."""
        return {name: camera.door for name, camera in self._cameras.items()}

    def require(self, camera: str) -> None:
        """Raise `RequestRefused` unless frames can be pushed to this camera now."""
        self._camera(camera)

    def put(
        self,
        camera: str,
        image: bytes,
        predictions: bytes | None = None,
        *,
        captured_at: float | None = None,
    ) -> Mapping[str, Any]:
        """See `FrameIntake.put`."""
        pushed = self._camera(camera)
        header = self._header(camera, image)
        prediction = self._prediction(pushed, predictions, header)
        sequence = pushed.door.put(image, prediction, captured_at)
        if sequence is None:
            reason = f"not due: AGENT_FPS={pushed.door.fps:g}"
            return {"camera": camera, "accepted": False, "reason": reason}
        return {"camera": camera, "accepted": True, "sequence": sequence}

    def _camera(self, name: str) -> PushCamera:
        found = self._cameras.get(name)
        if found is None:
            raise RequestRefused(RefusalKind.UNKNOWN, self._why_unknown(name))
        if found.door.is_closed:
            raise RequestRefused(
                RefusalKind.NOT_NOW,
                f"cannot take a frame of camera {name}: the agent stops; send it again later",
            )
        return found

    def _why_unknown(self, name: str) -> str:
        shown = printable(name, 64)
        if name in self._others:
            return (
                f"cannot take a frame of camera {shown}: the agent reads this camera itself; for "
                f"frames of an application write {shown}=push: in AGENT_CAMERAS"
            )
        known = ", ".join(self._cameras) or "none"
        return (
            f"cannot take a frame of camera '{shown}': there is no such camera; cameras that take "
            f"frames: {known}. Write NAME=push: in AGENT_CAMERAS for another"
        )

    def _header(self, camera: str, image: bytes) -> ImageHeader:
        if len(image) > MOST_BYTES:
            why = f"the image has {len(image)} bytes; at most {MOST_BYTES} are accepted"
            raise _refused(camera, why)
        try:
            header = read_header(image)
            check_complete(image)
        except UnusableImage as error:
            raise _refused(camera, str(error)) from None
        if header.format not in _FORMATS:
            raise _refused(camera, f"it is a {header.format} file; send JPEG or PNG")
        return header

    def _prediction(
        self, camera: PushCamera, document: bytes | None, header: ImageHeader
    ) -> Prediction | None:
        name = camera.door.camera
        if document is None:
            if camera.task is None:
                return None
            raise _refused(
                name,
                f"this camera expects predictions of the task {camera.task} with each image: send "
                "multipart/form-data with the parts image and predictions; for frames that the "
                f"agent's model analyses write {name}=push: in AGENT_CAMERAS",
            )
        if header.tags.orientation != 1:
            raise _refused(
                name,
                f"the EXIF of the image turns it (orientation {header.tags.orientation}), so that "
                "it is not clear what the boxes refer to; send the image upright",
            )
        own = self._model()
        task = camera.task or own.task
        labels = own.labels if own.task is task else ()
        expected = Expected(task, self._floor, labels, self._redact)
        try:
            found = parse_predictions(document, expected, (header.width, header.height))
        except InvalidValue as error:
            raise _refused(name, f"cannot use its predictions: {error}") from None
        model = self._pushed[name] = _completed(found.model, self._pushed.get(name))
        return replace(found, model=model)


def _completed(model: ModelInfo, before: ModelInfo | None) -> ModelInfo:
    """Return the model of a frame, as the frames before have told of it.

    A frame in which nothing was found does not say how many keypoints an object has. And labels
    that are equal are in memory once.
    """
    if before is None or before.sha256 != model.sha256:
        return model
    count = model.keypoint_count or before.keypoint_count
    whole = replace(model, keypoint_count=count)
    return before if whole == before else whole


def _refused(camera: str, why: str) -> RequestRefused:
    return RequestRefused(RefusalKind.UNUSABLE, f"cannot take a frame of camera {camera}: {why}")
