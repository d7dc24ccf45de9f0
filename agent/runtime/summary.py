"""One log line per minute: counts since the previous one."""

from agent.logs import Log
from agent.runtime.mailbox import FrameCounts, Mailbox
from agent.runtime.preroll import DROPPED, SHORTENED
from agent.runtime.recent import DROPPED as RECENT_DROPPED
from agent.runtime.stats import Stats, percentile
from agent.runtime.uploader import Uploader
from agent.spool.spool import Spool


class Summary:
    """Log the summary, and return a short form for the service manager."""

    def __init__(
        self, mailbox: Mailbox, stats: Stats, spool: Spool, uploader: Uploader | None, log: Log
    ) -> None:
        self._mailbox = mailbox
        self._stats = stats
        self._spool = spool
        self._uploader = uploader
        self._log = log
        self._before = FrameCounts(0, 0, 0)
        self.waiting = 0
        """Captures on disk at the latest report."""

    def report(self) -> str:
        """Log the summary and return its short form."""
        counts = self._mailbox.counts()
        recent, seconds = self._stats.take()
        waiting = self.waiting = self._spool.waiting()
        upload = "off" if self._uploader is None else self._uploader.condition
        by_rule = {
            name.replace("/", "_"): count
            for name, count in sorted(recent.items())
            if name.startswith(("captured/", "verdict/"))
        }
        self._log.info(
            "summary",
            frames_read=counts.offered - self._before.offered,
            frames_dropped=counts.dropped - self._before.dropped,
            frames_analysed=recent["analysed"],
            frames_still=recent["still"],
            inference_p50_ms=round(percentile(seconds, 0.5) * 1000, 1),
            inference_p95_ms=round(percentile(seconds, 0.95) * 1000, 1),
            captured=recent["captured"],
            **by_rule,
            stored=recent["stored"],
            delivered=recent["delivered"],
            evicted=recent["evicted"],
            rejected=recent["rejected"],
            **{name: recent[name] for name in (DROPPED, SHORTENED, RECENT_DROPPED) if recent[name]},
            waiting=waiting,
            upload=upload,
            **self._spool.report(),
        )
        self._before = counts
        return (
            f"{recent['analysed']} frames analysed in the last minute, {waiting} captures waiting, "
            f"upload {upload}"
        )
