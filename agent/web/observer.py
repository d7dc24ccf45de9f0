"""Counts what the API does, and reports what clients met, without letting them fill the log."""

import threading
import traceback
from collections import Counter
from collections.abc import Callable

from agent.logs import Log
from agent.printable import printable
from agent.runtime.metrics import Family, labelled, labels_of

REPEAT_S = 60.0
"""Seconds between two lines about the same."""

OTHER = "other"
"""The call of a request that no route takes, or that was refused before."""

_REASON_LENGTH = 100


class WebObserver:
    """The counters of one server; thread-safe."""

    def __init__(self, log: Log, now: Callable[[], float]) -> None:
        """`now`: seconds of the monotonic clock."""
        self._log = log
        self._now = now
        self._lock = threading.Lock()
        self._reported: dict[str, float] = {}
        self._since: Counter[str] = Counter()
        self.answers: Counter[tuple[str, int]] = Counter()
        """Responses by call and status."""
        self.refusals: Counter[str] = Counter()
        """Clients that were sent away, by reason."""

    def answered(self, call: str, status: int) -> None:
        """Count a response; `call` is one of a few: the path of a route, or `OTHER`."""
        with self._lock:
            self.answers[call, status] += 1

    def refused(self, why: str, client: str) -> None:
        """Note that a client was sent away; one line a minute for each of the few reasons."""
        with self._lock:
            self._since[why] += 1
            self.refusals[why] += 1
            if not self._is_due(why):
                return
            count = self._since.pop(why)
        self._log.warning("api refused", reason=why, client=printable(client), count=count)

    def failed(self, error: BaseException, call: str) -> None:
        """Report a bug with its traceback; one line a minute for each place in the code."""
        frames = traceback.extract_tb(error.__traceback__)
        place = (
            f"{type(error).__name__} {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        )
        with self._lock:
            if not self._is_due(place):
                return
        failure = (type(error), error, error.__traceback__)
        self._log.critical("api failed", call=printable(call, _REASON_LENGTH), exc_info=failure)

    def families(self) -> list[Family]:
        """Return the counters for Prometheus."""
        with self._lock:
            answers, refusals = dict(self.answers), dict(self.refusals)
        calls = {
            labels_of({"call": call, "status": str(status)}): count
            for (call, status), count in sorted(answers.items())
        }
        text = "Clients of the API that were sent away, by reason."
        return [
            ("api_responses_total", "counter", "Responses of the API by call and status.", calls),
            ("api_refusals_total", "counter", text, labelled("reason", refusals)),
        ]

    def _is_due(self, what: str) -> bool:
        now = self._now()
        if now - self._reported.get(what, float("-inf")) < REPEAT_S:
            return False
        self._reported[what] = now
        return True
