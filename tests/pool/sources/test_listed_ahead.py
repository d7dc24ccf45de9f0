"""A prefix is listed by several requests at the same time, and gives what one stream gives."""

from collections.abc import Iterable, Iterator
from threading import Barrier, Lock
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.dataset.bucket import ListedObject
from agent.errors import TemporaryError
from agent.pool.sources import listed_ahead
from agent.pool.sources.listed_ahead import ListedAhead
from tests.search import examples

KEYS = st.lists(
    st.lists(st.text("ab0/-é\U0010fffd", min_size=1, max_size=3), min_size=1, max_size=4).map(
        "/".join
    ),
    max_size=60,
)


class Store:
    """The listing of a store, without its requests."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = sorted(set(keys))
        self._lock = Lock()
        self.meeting: Barrier | None = None
        self.broken = ""
        self.asked: list[str] = []

    def listed(self, prefix: str, *, after: str = "") -> Iterator[ListedObject]:
        with self._lock:
            self.asked.append(after)
        if self.meeting is not None and after:
            self.meeting.wait()
        for key in self._keys:
            if key > after and key.startswith(f"{prefix}/" if prefix else ""):
                if self.broken and key >= self.broken:
                    raise TemporaryError("no answer")
                yield ListedObject(key, 1, key)


def ahead(store: Store, prefix: str = "") -> ListedAhead:
    return ListedAhead(cast("Any", store), prefix)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed_ahead, "_PAGE", 3)


@settings(max_examples=examples(25))
@given(KEYS, st.sampled_from(["", "a", "a/b"]))
def test_it_gives_the_objects_of_one_stream_in_their_order(keys: list[str], prefix: str) -> None:
    store = Store(keys)

    assert list(ahead(store, prefix)) == list(store.listed(prefix))


def test_folders_are_listed_at_the_same_time() -> None:
    """Two requests that each wait until the other one is there."""
    store = Store(f"{camera}/{number}" for camera in "ab" for number in range(4))
    store.meeting = Barrier(2, timeout=60)

    assert len(list(ahead(store))) == 8


def test_what_is_found_ahead_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed_ahead, "_MOST_WAITING", 8)
    store = Store(f"{camera:03d}/{number}" for camera in range(100) for number in range(9))

    found = iter(ahead(store))
    next(found)

    assert len(store.asked) <= 2 * 8
    assert len(list(found)) == 899


def test_an_error_comes_after_all_that_is_before_it() -> None:
    store = Store(f"{camera}/{number}" for camera in range(9) for number in range(9))
    store.broken = "5/"
    found: list[str] = []

    with pytest.raises(TemporaryError):
        found.extend(each.key for each in ahead(store))

    assert "4/" < found[-1] < "5/"
    assert (
        found == [f"{camera}/{number}" for camera in range(5) for number in range(9)][: len(found)]
    )
