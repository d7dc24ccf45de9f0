"""Which captures of a queue are wanted."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from agent.dataset.reviews import Review
from agent.domain import VerdictKind
from agent.errors import RefusalKind, RequestRefused
from agent.printable import printable
from agent.review.entries import Entry

LONGEST = 300
"""Characters of a filter."""

ANY = "any"
"""As `verdict`: whatever was said."""

_VERDICTS = ("", ANY, *VerdictKind)


@dataclass(frozen=True, slots=True)
class Filters:
    """Each field narrows the choice; an empty one does not."""

    camera: str = ""
    device: str = ""
    label: str = ""
    rule: str = ""
    lane: str = ""
    verdict: str = ""
    """Empty: captures without a review; else those whose standing review says this."""

    by: str = ""
    text: str = ""

    def takes(self, entry: Entry, review: Review | None) -> bool:
        """Whether a capture is wanted, by its standing review too."""
        return self.takes_verdict(review) and self.takes_entry(entry, review)

    def takes_verdict(self, review: Review | None) -> bool:
        """Whether what was said of a capture is what is asked for."""
        if not self.verdict:
            return review is None
        return review is not None and self.verdict in (ANY, review.verdict)

    def takes_entry(self, entry: Entry, review: Review | None) -> bool:
        """Whether a capture is wanted but for its verdict."""
        return (
            self.camera in ("", entry.camera)
            and self.device in ("", entry.device)
            and self.lane in ("", entry.lane)
            and (not self.rule or self.rule in entry.rules)
            and (not self.label or self.label in entry.labels or _has(review, self.label))
            and (not self.by or (review is not None and review.by == self.by))
            and (not self.text or self._finds(entry, review))
        )

    def _finds(self, entry: Entry, review: Review | None) -> bool:
        said = "" if review is None else f"{review.by}\n{review.note}".lower()
        return all(word in entry.text or word in said for word in self.text.lower().split())


NAMES = tuple(field.name for field in fields(Filters))


def filters_of(given: Mapping[str, Any]) -> Filters:
    """Return the filters in a call; others of its fields are left. Raises `RequestRefused`."""
    chosen = {}
    for name in NAMES:
        value = given.get(name) or ""
        if not isinstance(value, str) or len(value) > LONGEST:
            raise RequestRefused(
                RefusalKind.INVALID, f"{name}: must be a text of at most {LONGEST} characters"
            )
        chosen[name] = value
    if chosen["verdict"] not in _VERDICTS:
        raise RequestRefused(
            RefusalKind.INVALID,
            f"verdict: cannot be {printable(chosen['verdict'], 40)}; it is empty, or one of "
            f"{', '.join(_VERDICTS[1:])}",
        )
    return Filters(**chosen)


def _has(review: Review | None, label: str) -> bool:
    if review is None:
        return False
    boxes = review.boxes or ()
    return label in (review.labels or ()) or any(each.get("label") == label for each in boxes)
