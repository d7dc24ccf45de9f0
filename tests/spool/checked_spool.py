"""A spool whose every action is checked against a simple model of its promises."""

from collections import Counter
from collections.abc import Callable, Sequence

from agent.domain import Lane, SpoolEntry
from agent.errors import SpoolUnavailable
from agent.record.file_format import occupied_bytes
from agent.spool.disk_budget import RANDOM_SHARE
from agent.spool.spool import Spool
from agent.spool.types import NewCapture, PutResult
from tests.fakes.disk.power_cut import PowerCut
from tests.spool.naive_eviction import naive_plan
from tests.spool.spool_builders import Machine, claim_all, counts_add_up, facts_in


class CheckedSpool:
    """Performs actions on a spool and asserts each promise."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.images: dict[str, bytes] = {}
        self.waiting: dict[str, SpoolEntry] = {}
        self.claimed: set[str] = set()
        self.finished: set[str] = set()  # acknowledged or rejected: must never reappear
        self.unstored: dict[str, NewCapture] = {}  # of failed puts: may be there after a start
        self.doubtful: set[str] = set()  # interrupted while being deleted: there or gone
        self.evictable: set[str] = set()  # candidates of an interrupted put
        self.evicted: set[str] = set()
        self.rejected: dict[str, SpoolEntry] = {}
        self.not_unlinked: set[str] = set()  # acknowledged while the disk refused something
        self.requeued: set[str] = set()  # interrupted while being requeued: waiting or rejected
        self.is_index_lost = False
        self.facts: set[str] = set()  # kept, and not delivered
        self.facts_in_doubt: set[str] = set()  # may be there or not after a start
        self.sent: dict[str, list[str]] = {}  # by id: the facts in the record, as it was sent
        self.spool = machine.start()

    # Actions

    def put(self, captures: Sequence[NewCapture]) -> PutResult | None:
        """Store captures; return None when the disk refused."""
        for one in captures:
            self.images[one.id] = one.image + one.clip
        self.unstored |= {one.id: one for one in captures}
        budget = self.machine.limits.max_bytes
        over = self.spool.occupied() + 65_536 - budget
        was_there = [one for key, one in self.waiting.items() if key not in self.claimed]
        attempted = {one.id for one in self.spool._eviction_queue._attempted}
        try:
            stored = self.spool.put(captures)
        except SpoolUnavailable:
            if self.machine.medium.doubtful:
                self.evictable |= {one.id for one in was_there}
            return None
        except PowerCut:
            self.evictable |= {one.id for one in was_there}
            raise
        for one in captures:
            del self.unstored[one.id]
        new = sorted({*stored.kept, *stored.evicted} - set(was_there), key=lambda one: one.sequence)
        assert [one.id for one in new] == [one.id for one in captures]
        excess = over + sum(occupied_bytes(one) for one in new)
        if stored.reason == "budget":
            quota = int(RANDOM_SHARE * budget)
            expected = naive_plan(
                [*was_there, *new], excess=excess, random_quota=quota, attempted=attempted
            )
            assert list(stored.evicted) == expected
        for entry in stored.evicted:
            self.sent.pop(entry.id, None)
        self.waiting |= {entry.id: entry for entry in stored.kept}
        self.evicted |= {entry.id for entry in stored.evicted}
        for entry in stored.evicted:
            assert entry.id not in self.claimed
            self.waiting.pop(entry.id, None)
        self.check()
        free = [key for key in self.waiting if key not in self.claimed]
        assert self.spool.occupied() <= budget or not free
        return stored

    def claim(self) -> str | None:
        """Claim the next; return None when the disk refused or nothing waits."""
        order = sorted(
            (one for key, one in self.waiting.items() if key not in self.claimed),
            key=_urgency,
        )
        before = self.spool.counts()
        refused = False
        capture = None
        try:
            capture = self.spool.claim()
        except SpoolUnavailable:
            refused = True
        except PowerCut:
            self.doubtful |= {one.id for one in order}
            raise
        after = self.spool.counts()
        grown = {kind: after.get(kind, 0) - before.get(kind, 0) for kind in ("damaged", "rejected")}
        passed = order[: sum(grown.values())]
        for one in passed:
            del self.waiting[one.id]
        # A claim completes a rejection that failed after the file was moved.
        assert grown["rejected"] <= len(self.doubtful.intersection(one.id for one in passed))
        rest = order[len(passed) :]
        if refused:
            self.doubtful |= {one.id for one in rest[:1]}
            return None
        assert (capture.id if capture else None) == (rest[0].id if rest else None)
        if capture is None:
            return None
        assert capture.image + capture.clip == self.images[capture.id]
        self.claimed.add(capture.id)
        facts = facts_in(capture)
        assert self.sent.setdefault(capture.id, facts) == facts, "sent with other facts"
        assert self.facts >= set(facts), "a fact is sent that was delivered"
        self.check()
        return capture.id

    def keep_facts(self, texts: Sequence[str]) -> None:
        """Keep facts; the disk may refuse."""
        try:
            self.spool.keep_facts(texts)
        except SpoolUnavailable:
            self.facts_in_doubt |= set(texts)
            return
        except PowerCut:
            self.facts_in_doubt |= set(texts)
            raise
        self.facts |= set(texts)
        self.facts_in_doubt -= set(texts)
        self.check()

    def acknowledge(self, identity: str) -> None:
        """Acknowledge a claimed capture."""
        self._finish(identity, self.spool.acknowledge)

    def reject(self, identity: str) -> None:
        """Reject a claimed capture."""
        self._finish(identity, self.spool.reject, may_have_moved=True)

    def requeue(self, identity: str) -> None:
        """Let a rejected capture wait again."""
        entry = self.rejected.pop(identity)
        self.finished.remove(identity)
        errors = self.machine.disk.errors
        try:
            self.spool.requeue(entry)
        except SpoolUnavailable:
            self.rejected[identity] = entry
            self.finished.add(identity)
            self.check()
            return
        except PowerCut:
            self.requeued.add(identity)
            raise
        self.waiting[identity] = entry
        if self.machine.disk.errors > errors:
            self.doubtful.add(identity)  # its file may be in `rejected/`
        self.check()

    def release(self, identity: str) -> None:
        """Release a claimed capture."""
        self.spool.release(identity)
        self.claimed.remove(identity)

    def start_again(self, start: Callable[[], object], *, is_index_lost: bool = False) -> None:
        """Call `start`, which restarts the spool, and compare its content with the model."""
        start()
        self.spool = self.machine.spool
        self.claimed.clear()
        self._check_facts(is_index_lost=is_index_lost)
        captures = claim_all(self.spool)
        found = {one.id: one.image + one.clip for one in captures}
        for one in captures:
            assert self.sent.setdefault(one.id, facts_in(one)) == facts_in(one), "other facts"
        counts = Counter(self.spool.counts())
        if is_index_lost:  # and before it, the disk refused to unlink or to sync
            self.finished -= self.not_unlinked & found.keys()
        for identity, image in found.items():
            assert identity not in self.finished, "a finished capture reappeared"
            assert image == self.images[identity], "the image has other bytes"
        surprising = found.keys() - self.waiting.keys() - self.unstored.keys() - self.requeued
        if is_index_lost:  # nothing was sent of those that were evicted
            surprising -= self.evicted | self.not_unlinked
        assert not surprising, "an unknown capture appeared"
        missing = self.waiting.keys() - found.keys() - self.doubtful
        assert missing <= self.evictable, "a stored capture was lost"
        if not self.machine.disk.errors:
            assert "damaged" not in counts, "a power cut left an incomplete file"
        evicted = sum(count for name, count in counts.items() if name.startswith("evicted/"))
        if is_index_lost:  # the counters begin again
            assert not missing - self.evictable, "a capture was lost with the index"
        else:
            assert len(missing) <= evicted, "a capture was evicted and not counted"
        self.waiting = {one.id: one for one in self.spool._entries.values() if one.id in found}
        self.is_index_lost |= is_index_lost
        self._check_places(counts)
        self.unstored.clear()
        self.requeued.clear()
        self.doubtful.clear()
        self.evictable.clear()
        self.check()

    def free_facts(self) -> set[str]:
        """Return the facts that no capture which waited at the last start carries."""
        carried = {text for each in self.spool._facts._carried for text in self.sent.get(each, ())}
        return self.facts - carried

    def _check_facts(self, *, is_index_lost: bool) -> None:
        """Each fact that was kept and is not delivered is there; it goes with the index alone."""
        found = set(_facts_of(self.spool))
        if not is_index_lost:
            assert self.facts - self.facts_in_doubt <= found, "a fact was lost"
        assert found <= self.facts | self.facts_in_doubt, "a fact came back"
        self.facts = found
        self.facts_in_doubt.clear()
        if is_index_lost:
            self.sent.clear()

    def _check_places(self, counts: Counter[str]) -> None:
        """Each file is in one place, and `rejected/` has what is counted."""
        root, disk = self.machine.root, self.machine.disk
        waiting = {file.name for file in disk.files(root / "cache" / "records")}
        rejected = {file.name for file in disk.files(root / "rejected")}
        assert not waiting & rejected, "a capture waits and is rejected"
        assert len(waiting) == len(self.waiting), "a file is left that is not a capture"
        if not self.is_index_lost:
            assert counts["rejected"] == len(rejected), "a rejection is counted twice or not at all"

    def check(self) -> None:
        """Check what holds between any two actions."""
        assert self.spool.waiting() == len(self.waiting)
        assert self.spool.in_flight() == len(self.claimed)
        assert _facts_of(self.spool) == sorted(self.facts), "a fact is lost, or is there twice"
        assert counts_add_up(self.spool), (
            "stored != delivered + rejected + damaged + evicted + waiting"
        )

    def _finish(
        self, identity: str, action: Callable[[str], None], *, may_have_moved: bool = False
    ) -> None:
        errors = self.machine.disk.errors
        facts = set() if may_have_moved else set(self.sent[identity])
        try:
            action(identity)
        except SpoolUnavailable:
            if may_have_moved or self.machine.medium.doubtful:
                self.doubtful.add(identity)
                self.facts_in_doubt |= facts
            self.check()
            return
        except PowerCut:
            self.doubtful.add(identity)
            self.facts_in_doubt |= facts
            raise
        del self.sent[identity]
        self.facts -= facts
        self.facts_in_doubt -= facts
        self.claimed.remove(identity)
        entry = self.waiting.pop(identity)
        if self.machine.disk.errors > errors:
            self.not_unlinked.add(identity)
        if may_have_moved:
            self.rejected[identity] = entry
        self.finished.add(identity)
        self.check()


def _urgency(one: SpoolEntry) -> tuple[int, float, int]:
    """The order of sending: failures that people saw, requests, affirmations, the rest by value.

    What the model labelled itself comes last.
    """
    if one.lane is Lane.VERDICT:
        return (0 if one.value else 2), 0.0, one.sequence
    return {Lane.REQUESTED: 1, Lane.AUTO: 4}.get(one.lane, 3), -one.value, one.sequence


def _facts_of(spool: Spool) -> list[str]:
    """Return the texts of all facts in a spool; one that is there twice, twice."""
    facts = spool._facts
    carried = [fact for each in facts._carried.values() for fact in each]
    return sorted(fact.text for fact in (*facts._waiting.values(), *carried))
