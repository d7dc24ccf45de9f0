"""Where the labels of AGENT_REDACT are in a frame: what nobody may recognize. Pure.

Only what the model detects is found, in this frame or in its neighbours; what it misses in all of
them is in the image.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Sequence

from agent.domain import Box, HiddenPart, Observation, Suspect

MEMORY_S = 1.0
"""How long a place stays hidden in the frames of a clip, in seconds."""

_MARGIN = 0.1  # of the box's size on each side: a box ends at the chin or cuts off the hair
_LEAST_MARGIN = 2.0  # pixels


def redacted_parts(
    observation: Observation, labels: Collection[str], suspects: Sequence[Suspect] = ()
) -> tuple[HiddenPart, ...]:
    """Return what must be pixelated: the boxes of these labels, grown, at any confidence.

    `suspects` of these labels count too: what the model missed in this frame, and saw in those
    before and after it.

    It is the whole frame if nobody knows where they are: the model's output is incomplete or that
    of an earlier frame, or another model without these labels made it.
    """
    if not labels:
        return ()
    height, width = observation.frame.pixels.shape[:2]
    model = observation.model
    is_known = not observation.invalid and not observation.is_still
    if not is_known or (model is not None and not set(labels) <= set(model.labels)):
        return (HiddenPart(box=Box(0.0, 0.0, float(width), float(height))),)
    places = [(each.label, each.box) for each in observation.detections]
    places += [(each.label, each.box) for each in suspects if each.box is not None]
    return tuple(
        HiddenPart(box=_grown(box, width, height), label=label)
        for label, box in dict.fromkeys(places)
        if label in labels
    )


class RecentPlaces:
    """Where objects were a moment ago: a model misses what it sees in the frames around it."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, tuple[Suspect, ...]]]] = defaultdict(deque)

    def before(self, observation: Observation) -> list[Suspect]:
        """Take a camera's next frame; return what was seen in the last `MEMORY_S` before it."""
        seen, at = self._seen[observation.frame.camera], observation.frame.at
        while seen and not 0 <= at - seen[0][0] <= MEMORY_S:
            seen.popleft()
        recent = [suspect for _, suspects in seen for suspect in suspects]
        seen.append(
            (at, tuple(Suspect("", 0.0, each.label, each.box) for each in observation.detections))
        )
        return recent


def _grown(box: Box, width: int, height: int) -> Box:
    """Return a box with its margin, within the frame."""
    across = max(_LEAST_MARGIN, _MARGIN * (box.x_max - box.x_min))
    down = max(_LEAST_MARGIN, _MARGIN * (box.y_max - box.y_min))
    return Box(
        max(0.0, box.x_min - across),
        max(0.0, box.y_min - down),
        min(float(width), box.x_max + across),
        min(float(height), box.y_max + down),
    )
