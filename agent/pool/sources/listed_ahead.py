"""Lists the objects below a prefix by several requests at the same time, in the order of keys.

A store tells 1,000 keys in a response, and the next request begins after the last of them. Where
that key is in a folder, the rest of the folder and what comes after it are asked for at the same
time, and each of them is divided like that again. Every request is of the whole prefix: it needs no
other rights than one stream does.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice

from agent.dataset.bucket import Bucket, ListedObject

_THREADS = 16
_MOST_WAITING = 400  # responses, also those that wait for their turn: some 120 MB
_PAGE = 1000  # keys of a response
_AFTER_ALL = "\U0010ffff"  # the last of all characters


class NotListedAfter(Exception):
    """The store does not begin after the key that it was told."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The keys after `after` that begin with `begin`."""

    after: str
    begin: str


@dataclass(slots=True, eq=False)
class _Piece:
    """Some of the listing: objects, or an answer that is not there yet."""

    objects: list[ListedObject]
    stretch: _Stretch | None = None
    answer: "Future[list[_Piece]] | None" = None


class ListedAhead:
    """The objects below a prefix, of a store that sorts them. Raises what `Bucket.listed` does.

    An error is raised at its turn: all objects before it were given.
    """

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix

    def __iter__(self) -> Iterator[ListedObject]:
        begin = f"{self._prefix}/" if self._prefix else ""
        coming = deque([_Piece([], _Stretch("", begin))])
        threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pool-listing")
        try:
            while coming:
                self._ask(coming, threads)
                first = coming[0]
                if first.answer is None:
                    yield from coming.popleft().objects
                elif first.answer.done():
                    coming.popleft()
                    coming.extendleft(reversed(first.answer.result()))
                else:
                    _wait(coming)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, coming: deque[_Piece], threads: ThreadPoolExecutor) -> None:
        """Ask for what comes next and was not asked for."""
        for piece in islice(coming, _MOST_WAITING):
            if piece.stretch is not None and piece.answer is None:
                piece.answer = threads.submit(self._answer, piece.stretch)

    def _answer(self, asked: _Stretch) -> list[_Piece]:
        page = list(islice(self._bucket.listed(self._prefix, after=asked.after), _PAGE))
        if page and page[0].key < asked.after:
            raise NotListedAfter
        # The library removes the slash of an object that stands for a folder. So it may be equal to
        # what it comes after, and that of the prefix itself does not begin with its folder.
        objects = [
            each
            for each in page
            if each.key != asked.after
            and (each.key.startswith(asked.begin) or each.key == self._prefix)
        ]
        found = [_Piece(objects)]
        last = page[-1].key if len(page) == _PAGE else ""
        if not last.startswith(asked.begin) or not last:
            return found
        name, slash, _ = last[len(asked.begin) :].partition("/")
        if not slash:
            return [*found, _Piece([], _Stretch(last, asked.begin))]
        folder = f"{asked.begin}{name}/"
        rest = _Stretch(last, folder), _Stretch(f"{folder}{_AFTER_ALL}", asked.begin)
        return [*found, *(_Piece([], each) for each in rest)]


def _wait(coming: deque[_Piece]) -> None:
    """Wait for an answer; put what it found in its place."""
    window = [coming.popleft() for _ in range(min(len(coming), _MOST_WAITING))]
    try:
        asked = [each.answer for each in window if each.answer is not None]
        wait([each for each in asked if not each.done()], return_when=FIRST_COMPLETED)
    finally:
        for piece in reversed(window):
            answer = piece.answer
            if answer is not None and answer.done() and answer.exception() is None:
                coming.extendleft(reversed(answer.result()))
            else:
                coming.appendleft(piece)
