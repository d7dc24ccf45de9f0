"""Where left and right mean something, so that a mirrored image would be labelled wrongly."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from agent.dataset.synthesis.objects import mirrored_keypoints

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SIDES = frozenset(
    {
        *("left", "right", "leftward", "rightward", "lefthand", "righthand", "clockwise"),
        *("anticlockwise", "counterclockwise", "links", "rechts"),
        *("gauche", "droite", "izquierda", "derecha", "esquerda", "direita", "sinistra", "destra"),
    }
)
_TEXT = frozenset(
    {
        *("text", "word", "letter", "digit", "number", "character", "sign", "plate", "license"),
        *("licence", "barcode", "qr", "logo", "label", "speed", "limit", "clock", "gauge", "meter"),
        *("book", "keyboard", "display", "screen", "symbol", "flag"),
    }
)
_SHORTEST = 2  # letters: a class of one letter or digit is a character


def names_a_side(label: str) -> bool:
    """Whether a class would be another one in a mirror, such as `turn left`."""
    return bool(_SIDES & _words(label))


def shows_text(label: str) -> bool:
    """Whether objects of a class mostly carry text or a scale, which no camera sees mirrored."""
    words = _words(label)
    return bool(_TEXT & words) or len(label.strip()) < _SHORTEST or label.strip().isdigit()


def may_flip(
    objects: Iterable[Mapping[str, Any]],
    classes: Collection[str],
    never: Collection[str] = (),
) -> bool:
    """Whether an image may be mirrored.

    Not where any of the dataset's `classes` names a side, where the image shows an object with
    text or of a label in `never`, or keypoints whose counterparts are not known.
    """
    if any(map(names_a_side, classes)):
        return False
    for each in objects:
        label, points = str(each["label"]), each.get("keypoints")
        if label in never or shows_text(label) or names_a_side(label):
            return False
        if points and mirrored_keypoints(len(points)) is None:
            return False
    return True


def _words(label: str) -> set[str]:
    return {word.lower() for word in _WORDS.findall(label)} | set(label.lower().split())
