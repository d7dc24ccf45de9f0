"""Answers what other processes ask through the exchange folder."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.domain import Capture, EncodedImage, Lane, Observation, Pixels
from agent.exchange.asks import Ask, AskKind, asks
from agent.files import Disk
from agent.ports import Clock, ViewEncoder
from agent.record.schema import RecordMaker, image_facts
from agent.runtime.followed import CaptureState, FollowedCaptures, Outcome
from agent.runtime.inference import Inference
from agent.runtime.reader import Reader, no_frames

FOLLOWED_S = 330.0
"""How long the answer to a request for captures is kept up to date."""

MOST_OPEN = 64
"""Answers in the folder at once; further requests are refused."""

FETCHED_S = 30.0
"""How long a frame waits to be fetched."""


Draw = Callable[[Pixels, Mapping[str, Any]], None]
"""Draws a record onto pixels of its image."""


class FrameView:
    """The one way in which a frame leaves the process to be looked at: a record and a JPEG."""

    def __init__(self, encoder: ViewEncoder, maker: RecordMaker) -> None:
        self._encoder = encoder
        self._maker = maker

    def shown(self, observation: Observation) -> dict[str, Any]:
        """Return the record of a frame, its boxes in pixels of `jpeg`, which is base64."""
        image = self._encoder.encode(observation)
        record = self._record(observation, image)
        return {"record": record, "jpeg": base64.b64encode(image.data).decode("ascii")}

    def plain(self, observation: Observation) -> tuple[bytes, dict[str, Any]]:
        """Return the JPEG and the record of a frame, without the outlines of masks."""
        observation = self._without_outlines(observation, but_sure=False)
        image = self._encoder.encode(observation)
        return image.data, self._record(observation, image)

    def drawn(self, observation: Observation, draw: Draw) -> tuple[bytes, dict[str, Any]]:
        """Return the JPEG with the record drawn onto it, and the record.

        Only detections at or above their threshold have outlines: no others are drawn.
        """
        observation = self._without_outlines(observation, but_sure=True)
        record: dict[str, Any] = {}

        def draw_on(pixels: Pixels, image: EncodedImage) -> None:
            record.update(self._record(observation, image))
            draw(pixels, record)

        image = self._encoder.drawn(observation, draw_on)
        return image.data, {**record, "image": image_facts(image)}

    def _without_outlines(self, observation: Observation, *, but_sure: bool) -> Observation:
        """Leave out masks whose outline nobody looks at: to compute it takes time."""
        of = self._maker.thresholds.of
        detections = tuple(
            each
            if each.mask is None or (but_sure and each.confidence >= of(each.label))
            else replace(each, mask=None)
            for each in observation.detections
        )
        return replace(observation, detections=detections)

    def _record(self, observation: Observation, image: EncodedImage) -> dict[str, Any]:
        capture = Capture(observation, Lane.REQUESTED, (), 0.0)
        return self._maker.make("", capture, image, clock_synchronized=False)


@dataclass(slots=True)
class _Open:
    """An answer in the folder."""

    until: float  # removed then, in monotonic seconds
    refused: Mapping[str, str]  # reason by camera
    ids: Mapping[str, str]  # id of the capture by camera
    data: bytes = b""  # as last published


class Answers:
    """Answers asks, keeps the answers up to date for a while, and removes them.

    Nothing is encoded while nobody asks. All methods raise `OSError` when the folder refuses.
    """

    def __init__(
        self,
        readers: Sequence[Reader],
        inference: Inference,
        followed: FollowedCaptures,
        view: FrameView,
        *,
        new_id: Callable[[float], str],
        disk: Disk,
        clock: Clock,
    ) -> None:
        self._readers = {reader.camera: reader for reader in readers}
        self._inference = inference
        self._followed = followed
        self._view = view
        self._new_id = new_id
        self._disk = disk
        self._clock = clock
        self._open: dict[str, _Open] = {}  # by the name of the answer

    def step(self, folder: Path) -> bool:
        """Answer what is asked now; return whether somebody asked for the state."""
        asked = asks(folder)
        for ask in asked:
            self._disk.remove(folder / ask.name)  # first: an answer that fails is not repeated
            if ask.kind is AskKind.CAPTURE and len(self._open) < 2 * MOST_OPEN:
                self._request(ask)
            elif ask.kind is AskKind.FRAMES and len(self._open) < 2 * MOST_OPEN:
                self._disk.publish(folder / ask.answer_name, _json(self._frames(ask)))
                self._open[ask.answer_name] = _Open(self._clock.monotonic() + FETCHED_S, {}, {})
        self._update(folder)
        return any(ask.kind is AskKind.STATE for ask in asked)

    def _request(self, ask: Ask) -> None:
        refused = {}
        ids = {}
        for name in self._cameras(ask):
            reason = self._refusal(name)
            if reason is None and len(self._open) >= MOST_OPEN:
                reason = f"{MOST_OPEN} requests are being followed; try again in a moment"
            if reason is None:
                ids[name] = self._new_id(self._clock.wall())
                self._followed.follow(ids[name])
            else:
                refused[name] = reason
        self._inference.request(ids)
        until = self._clock.monotonic() + FOLLOWED_S
        self._open[ask.answer_name] = _Open(until, refused, ids)

    def _cameras(self, ask: Ask) -> list[str]:
        return [ask.camera] if ask.camera else list(self._readers)

    def _refusal(self, camera: str) -> str | None:
        """Return why no frame of this camera can be expected now; None if one can."""
        if camera not in self._readers:
            return no_such_camera(self._readers)
        return no_frames(self._readers[camera].report)

    def _frames(self, ask: Ask) -> dict[str, Any]:
        return {"frames": [self._frame(name) for name in self._cameras(ask)]}

    def _frame(self, camera: str) -> dict[str, Any]:
        error = self._refusal(camera)
        newest = self._inference.newest(camera)
        if newest is None:
            return {"camera": camera, "error": error or "no frame yet"}
        observation, analysed_at = newest
        age = self._clock.monotonic() - analysed_at
        shown = self._view.shown(observation)
        return {"camera": camera, "error": error, "age_s": round(age, 1), **shown}

    def _update(self, folder: Path) -> None:
        """Publish what changed, and remove what is old or was fetched."""
        now = self._clock.monotonic()
        for name, answer in list(self._open.items()):
            is_captures = bool(answer.ids or answer.refused)
            was_fetched = bool(answer.data) and not (folder / name).exists()
            if now >= answer.until or was_fetched:
                del self._open[name]
                self._disk.remove(folder / name)
            elif is_captures:
                data = _json({"captures": self._captures(answer)})
                if data != answer.data:
                    self._disk.publish(folder / name, data)
                    answer.data = data

    def _captures(self, answer: _Open) -> list[dict[str, str]]:
        refused = {
            camera: Outcome(CaptureState.REFUSED, reason)
            for camera, reason in answer.refused.items()
        }
        known = {camera: self._followed.outcome(name) for camera, name in answer.ids.items()}
        return [
            {
                "camera": camera,
                "id": answer.ids.get(camera, ""),
                "state": outcome.state,
                "reason": outcome.reason,
            }
            for camera, outcome in {**refused, **known}.items()
        ]


def no_such_camera(names: Iterable[str]) -> str:
    """Say that a name is that of no camera."""
    return f"there is no such camera; the cameras are {', '.join(names)}"


def _json(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts).encode("ascii")
