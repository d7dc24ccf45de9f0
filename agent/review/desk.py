"""The captures of one dataset folder as reviewers get them: queues, lists, and what was said."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock, RLock
from typing import Any

from agent.dataset import verdicts
from agent.dataset.captures import DatasetCapture
from agent.dataset.records import part_folders, skipped_note
from agent.dataset.reviewed import ReviewedDataset
from agent.dataset.reviews import Review
from agent.errors import AgentError, RefusalKind, RequestRefused
from agent.ports import Clock
from agent.printable import printable
from agent.record.timestamp import timestamp
from agent.review.claims import Claims
from agent.review.entries import Entry, Queue, entry_of
from agent.review.filters import Filters
from agent.review.other_desks import OpenPage, OtherDesks
from agent.review.shown import row, shown_review, whole

FOLLOW_S = 2.0
"""Seconds between two looks for captures and verdicts that others added."""

_LOOK_S = 60.0
"""Seconds after which the folder is listed again although nothing seems to have changed."""

_TICK_S = 1.0
"""Two changes within it may leave the same time of change, on the coarsest file systems."""

LABELS_MAX = 2000
"""Labels of the dataset that are offered to choose from."""

_PROBLEMS_MAX = 20
_REVIEWED = "reviewed"
"""The list of what was reviewed, of all queues, the newest review first."""

LISTS = (*Queue, _REVIEWED)


@dataclass(frozen=True, slots=True)
class Page:
    """What an open page says of itself."""

    client: str  # drawn by the page
    by: str  # who sits before it; empty while nobody said
    holding: tuple[str, ...]  # captures that it shows or will show next
    returned: tuple[str, ...] = ()  # captures that it got and lets go without a look
    is_leaving: bool = False


class ReviewDesk:
    """Hands out the captures of a dataset, and takes what is said of them. Thread-safe."""

    def __init__(
        self,
        dataset: ReviewedDataset,
        others: OtherDesks,
        clock: Clock,
        *,
        problems: Sequence[str] = (),
    ) -> None:
        """`problems`: what went wrong before, for the page to show."""
        self._dataset = dataset
        self._others = others
        self._clock = clock
        self._claims = Claims()
        self._lock = RLock()  # of claims and entries; nothing in it waits for the disk
        self._following = Lock()
        self._followed_at = clock.monotonic()
        self._listed_at = self._followed_at
        self._seen: tuple[int, ...] = ()
        self._problem = ""
        self._earlier = list(problems)
        self._entries: dict[str, Entry] = {}
        self._sorted: dict[Queue, list[Entry]] = {queue: [] for queue in Queue}
        self._take(dataset.captures)

    def __len__(self) -> int:
        return len(self._entries)

    def follow(self) -> None:
        """Take in what other programs added, if the last look is some seconds ago."""
        now = self._clock.monotonic()
        if now - self._followed_at < FOLLOW_S or not self._following.acquire(blocking=False):
            return
        try:
            self._followed_at = now
            seen = self._changes()
            if seen == self._seen and now - self._listed_at < _LOOK_S:
                return
            self._dataset.follow()
            self._take(self._dataset.captures)
            self._problem = ""
            self._listed_at = now
            is_settled = max(seen, default=0) / 1e9 < self._clock.wall() - _TICK_S
            self._seen = seen if is_settled else ()
        except (AgentError, OSError) as error:  # the page goes on with what it has, and says so
            self._problem = printable(error, 500)
        finally:
            self._following.release()

    def state(self, page: Page, filters: Filters) -> dict[str, Any]:
        """Return the counts of all queues, and what others do; and note what `page` holds."""
        now = self._clock.monotonic()
        reviews = self._dataset.reviews()
        with self._others.turn(self._pages) as elsewhere, self._lock:
            self._note(page, now)
            if page.is_leaving:
                self._claims.forget(page.client)
            others = self._claims.others(page.client, now, elsewhere)
            entries = self._entries
        counts = {queue: {"left": 0, "reviewed": 0, "all": 0} for queue in Queue}
        for entry in entries.values():
            review = reviews.get(entry.id)
            count = counts[entry.queue]
            count["all"] += 1
            if filters.takes_entry(entry, review):
                count["left"] += filters.takes_verdict(review)
                count["reviewed"] += review is not None
        held = {name: shown_review(reviews.get(name)) for name in page.holding if name in entries}
        return {
            "now": timestamp(self._clock.wall()),
            "captures": len(entries),
            "reviewed": sum(1 for name in reviews if name in entries),
            "queues": counts,
            "others": others,
            "held": held,
            "problems": self._problems(),
        }

    def facets(self) -> dict[str, Any]:
        """Return what filters and labels can be chosen from, the most frequent first."""
        reviews = self._dataset.reviews()
        counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("camera", "device", "label", "rule", "lane", "by")
        }
        with self._lock:
            entries = list(self._entries.values())
        for entry in entries:
            counts["camera"][entry.camera] += 1
            counts["device"][entry.device] += 1
            counts["lane"][entry.lane] += 1
            counts["label"].update(entry.labels)
            counts["rule"].update(dict.fromkeys(entry.rules, 1))
        for review in reviews.values():
            counts["by"][review.by] += 1
            counts["label"].update({each["label"] for each in review.boxes or ()})
            counts["label"].update(set(review.labels or ()))
        found: dict[str, Any] = {
            name: [value for value, _ in count.most_common(LABELS_MAX) if value]
            for name, count in counts.items()
        }
        found["classes"] = self._classes(found["label"])
        return found

    def next(
        self, page: Page, queue: Queue, filters: Filters, *, count: int, again: bool
    ) -> dict[str, Any]:
        """Hand out the next captures of a queue, which others do not get for a while.

        `again`: those that the page went past are handed out again.
        """
        with self._others.turn(self._pages) as elsewhere:
            with contextlib.suppress(AgentError):  # `follow` tells people of it
                self._dataset.follow_reviews()
            reviews = self._dataset.reviews()
            held = {name for each in elsewhere for name in each.holding}
            with self._lock:
                if again:
                    self._claims.begin_again(page.client)
                entries = self._sorted[queue]
                wanted = [each for each in entries if filters.takes(each, reviews.get(each.id))]
                new = self._hand_out(page, wanted, held, count)
        return {"captures": [self.capture(entry.id) for entry in new], "left": len(wanted)}

    def listed(self, name: str, filters: Filters, *, offset: int, limit: int) -> dict[str, Any]:
        """Return a part of a queue, or of what was reviewed. Raises `RequestRefused`."""
        reviews = self._dataset.reviews()
        with self._lock:
            chosen = self._listed(name, filters, reviews)
        part = chosen[offset : offset + limit]
        return {
            "total": len(chosen),
            "captures": [row(entry, reviews.get(entry.id)) for entry in part],
        }

    def capture(self, name: str) -> dict[str, Any]:
        """Return all of one capture. Raises `RequestRefused`."""
        found = self.files_of(name)
        review, lines = self._dataset.review(name), self._dataset.lines_of(name)
        return whole(found, self._entries[name], review, lines)

    def files_of(self, name: str) -> DatasetCapture:
        """Return where the files of a capture are. Raises `RequestRefused`."""
        found = self._dataset.captures.get(name)
        if found is None or name not in self._entries:
            raise RequestRefused(
                RefusalKind.UNKNOWN,
                f"cannot find the capture {printable(name, 64)}: it is not in this folder",
            )
        return found

    def review(self, name: str) -> Review | None:
        """Return the standing review of a capture."""
        return self._dataset.review(name)

    def add(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Add checked reviews and undos; raises what `ReviewedDataset.add` does."""
        self._dataset.add(lines)

    def _changes(self) -> tuple[int, ...]:
        """Return when what `follow` reads changed last, in ns: listing 10,000 records is slow."""
        directory = self._dataset.directory
        records = [folder / "records" for folder in (directory, *part_folders(directory))]
        found = []
        for path in (directory, *records, directory / verdicts.FILE):
            with contextlib.suppress(FileNotFoundError):
                found.append(path.stat().st_mtime_ns)
        return tuple(found)

    def _hand_out(
        self, page: Page, wanted: Sequence[Entry], held: set[str], count: int
    ) -> list[Entry]:
        """Claim the first of `wanted` that neither another page nor another desk holds."""
        now = self._clock.monotonic()
        self._note(page, now)
        taken = held | self._claims.held_by_others(page.client, now)
        taken |= set(self._claims.passed(page.client))
        new = list(islice((each for each in wanted if each.id not in taken), count))
        self._claims.hand_out(page.client, (each.id for each in new))
        return new

    def _pages(self) -> list[OpenPage]:
        with self._lock:
            return self._claims.pages(self._clock.monotonic(), self._clock.wall())

    def _note(self, page: Page, now: float) -> None:
        holding = [name for name in page.holding if name in self._entries]
        self._claims.note(page.client, holding, by=page.by, now=now)
        self._claims.give_back(page.client, page.returned)

    def _listed(
        self, name: str, filters: Filters, reviews: Mapping[str, Review]
    ) -> Sequence[Entry]:
        if name in list(Queue):
            entries = self._sorted[Queue(name)]
            return [entry for entry in entries if filters.takes(entry, reviews.get(entry.id))]
        if name != _REVIEWED:
            raise RequestRefused(RefusalKind.INVALID, f"queue: must be one of {', '.join(LISTS)}")
        return sorted(
            self._reviewed(filters, reviews), key=lambda entry: reviews[entry.id].at, reverse=True
        )

    def _reviewed(self, filters: Filters, reviews: Mapping[str, Review]) -> Iterator[Entry]:
        for name, review in reviews.items():
            entry = self._entries.get(name)
            if entry is None or not filters.takes_entry(entry, review):
                continue
            if not filters.verdict or filters.takes_verdict(review):
                yield entry

    def _take(self, captures: Mapping[str, DatasetCapture]) -> None:
        """Make entries of captures that are new, and forget those whose record is gone."""
        with self._lock:
            if captures.keys() == self._entries.keys():
                return
            self._entries = {
                name: self._entries.get(name) or entry_of(capture)
                for name, capture in captures.items()
            }
            for queue in Queue:
                mine = (entry for entry in self._entries.values() if entry.queue is queue)
                self._sorted[queue] = sorted(mine, key=lambda entry: entry.order)

    def _classes(self, labels: Iterable[str]) -> list[str]:
        """Return the labels to choose from: those of the models first, in their order."""
        names: dict[str, None] = {}
        models: set[str] = set()
        for capture in self._dataset.captures.values():
            model = capture.record.get("model")
            if not isinstance(model, dict) or not isinstance(model.get("labels"), list):
                continue
            version = str(model.get("sha256"))
            if version not in models:
                models.add(version)
                names |= dict.fromkeys(one for one in model["labels"] if isinstance(one, str))
        names |= dict.fromkeys(labels)
        return list(islice((name for name in names if name.strip()), LABELS_MAX))

    def _problems(self) -> list[str]:
        found = [*self._earlier, *([self._problem] if self._problem else [])]
        found += skipped_note(self._dataset.skipped)
        return [*found, *(printable(each, 500) for each in self._dataset.problems[:_PROBLEMS_MAX])]
