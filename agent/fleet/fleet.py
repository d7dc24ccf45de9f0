"""The fleet view: one row for each device, those that need somebody first."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.domain import EARLIEST_PLAUSIBLE
from agent.fleet.devices import Condition, Device, Heartbeat, Need, Problem, Reports
from agent.fleet.needs import (
    CLOCK_OFF_S,
    HEARTBEAT_S,
    STOPPED_MAX_S,
    Moment,
    cameras_of,
    captures,
    has_failed,
    needs_of,
    silent_after,
    was_stopped,
)
from agent.printable import printable
from agent.record.device_names import status_file
from agent.record.timestamp import seconds_of
from agent.settings.units import show_span

_NEEDS_SAID = 3  # in a sentence
_WORDS_MAX = 240  # characters of a need in a sentence; all of it is in `Device.needs`
_LONG_S = 7 * 86_400.0  # without a capture: the device may be out of use
_FEW = 3  # devices; of fewer, "most of them" says nothing


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all devices."""

    devices: int
    by_condition: Mapping[Condition, int]
    need_somebody: int
    waiting: int
    delivered: int
    labels_per_day: float  # sum of the budgets
    unlimited: int  # devices without a budget


@dataclass(frozen=True, slots=True)
class Usual:
    """What most devices have; None where none is ahead of the others."""

    version: str | None = None
    model: str | None = None
    model_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """All devices at one moment, in the order in which somebody should look at them."""

    made_at: float  # seconds since 1970 UTC
    devices: tuple[Device, ...]
    totals: Totals
    usual: Usual
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()  # what concerns all devices

    @property
    def is_well(self) -> bool:
        """Whether every heartbeat could be read and nobody is needed."""
        return not self.totals.need_somebody and not any(p.is_heartbeat for p in self.problems)


def fleet_of(reports: Reports, now: float, *, stopped_max: float | None = STOPPED_MAX_S) -> Fleet:
    """Return the view of a fleet at `now`, seconds since 1970 UTC.

    Devices are sorted by their condition, then by how long it has lasted, then by name.
    `stopped_max`: seconds for which a device may be stopped in order; None: for ever.
    """
    latest: dict[str, Heartbeat] = {}
    for each in sorted(reports.heartbeats, key=lambda one: one.received_at):
        latest[each.device] = each  # a folder may have two files of a device: a copied one too
    offsets = {name: _clock_off(each) for name, each in latest.items()}
    usual_off = _usual_clock_off(offsets.values())
    found = [
        _with_heartbeat(each, reports, now, offsets[name] - usual_off, stopped_max)
        for name, each in latest.items()
    ]
    known = {each.name for each in found}
    found += [
        _without_heartbeat(name, latest, reports, now)
        for name, latest in reports.captured.items()
        if name not in known
    ]
    usual, found = _marked(found)
    found.sort(key=lambda each: (each.condition.rank, -(each.since_s or 0.0), each.name))
    return Fleet(
        now,
        tuple(found),
        _totals(found),
        usual,
        reports.problems,
        tuple(_notes(found, reports.refusal, usual_off, now)),
    )


def _clock_off(heartbeat: Heartbeat) -> float:
    return seconds_of(heartbeat.status["at"]) - heartbeat.received_at


def _usual_clock_off(offsets: Iterable[float]) -> float:
    """Return by how much most clocks differ from the one that they are read by; else 0.

    A difference that most devices have is rather that of the reader.
    """
    found = list(offsets)
    middle = statistics.median(found) if len(found) >= _FEW else 0.0
    return middle if abs(middle) > CLOCK_OFF_S else 0.0


def _with_heartbeat(
    heartbeat: Heartbeat, reports: Reports, now: float, off: float, stopped_max: float | None
) -> Device:
    status = heartbeat.status
    moment = Moment(heartbeat.received_at, now, off)
    period = status["heartbeat_s"] or HEARTBEAT_S
    oldest = status["oldest_waiting"] if status["waiting"] else None
    device = Device(
        heartbeat.device,
        Condition.WELL,
        "",
        seen_at=heartbeat.received_at,
        seen_s=moment.age_s,
        heartbeat_s=period,
        clock_off_s=off,
        version=status["version"],
        model=status["model"],
        model_sha256=status["model_sha256"],
        cameras=tuple(cameras_of(status, moment)),
        waiting=status["waiting"] or 0,
        waiting_bytes=status["waiting_bytes"] or 0,
        oldest_waiting=None if oldest is None else seconds_of(oldest),
        oldest_waiting_s=moment.since(oldest),
        delivered=status["delivered"] or 0,
        last_delivered=_seconds(status["last_delivered"]),
        credits_left=status["credits_left"],
        next_credit_s=status["next_credit_s"],
        budget_per_day=status["budget_per_day"],
        upload=status["upload"],
        disk=status["disk"],
        last_error=status["last_error"],
        marks=_format_marks(heartbeat),
        received=None if reports.received is None else reports.received.get(heartbeat.device, 0),
    )
    silent_s = _unanswered(moment, reports.away)
    if was_stopped(status):
        return _stopped(
            device, moment.age_s, is_late=stopped_max is not None and silent_s > stopped_max
        )
    if silent_s > silent_after(status) and not has_failed(status):
        # What it said last was true then, and may have lasted or not.
        then = Moment(heartbeat.received_at, heartbeat.received_at, off)
        last = needs_of(status, then)
        return replace(
            device,
            condition=Condition.SILENT,
            sentence=_last_status(silent_s, last, device.waiting),
            since_s=silent_s,
            cameras=tuple(cameras_of(status, then)),
            needs=tuple(last),
            is_past=True,
        )
    needs = needs_of(status, moment)
    if not needs:
        return device
    return replace(
        device,
        condition=needs[0].condition,
        sentence=_sentence(needs),
        since_s=needs[0].since_s,  # the longest of its condition
        needs=tuple(needs),
        is_past=has_failed(status),
    )


def _stopped(device: Device, since_s: float, *, is_late: bool) -> Device:
    what = f"stopped {show_span(since_s)} ago"
    what += f" with {captures(device.waiting)} waiting" if device.waiting else ""
    if not is_late:
        sentence = f"{what}: start it when it should run again"
        return replace(
            device, condition=Condition.STOPPED, sentence=sentence, since_s=since_s, is_past=True
        )
    what += " and did not come back"
    fix = "start it, or retire it with `capture-agent fleet DIR --forget ID`"
    need = Need(Condition.ATTENTION, what, fix, since_s, word="not back")
    return replace(
        device,
        condition=need.condition,
        sentence=_sentence([need]),
        since_s=since_s,
        needs=(need,),
        is_past=True,
    )


def _sentence(needs: Sequence[Need]) -> str:
    more = len(needs) - _NEEDS_SAID
    words = [_words(each) for each in needs[:_NEEDS_SAID]]
    return "; ".join([*words, f"and {more} more"] if more > 0 else words)


def _words(need: Need) -> str:
    """Return what is wrong and what to do, short enough to stand beside others."""
    return _short(f"{need.what}: {need.fix}" if need.fix else need.what)


def _short(text: str) -> str:
    # Not by words: an address has none, and may be all that matters.
    return text if len(text) <= _WORDS_MAX else f"{text[: _WORDS_MAX - 3]}..."


def _seconds(time: str | None) -> float | None:
    return None if time is None else seconds_of(time)


def _format_marks(heartbeat: Heartbeat) -> tuple[str, ...]:
    if not heartbeat.is_newer:
        return ()
    return ("a later format of the heartbeat: update this program to see all of it",)


def _unanswered(moment: Moment, away: tuple[float, float] | None) -> float:
    """Return for how long a device could have sent a heartbeat, and sent none."""
    if away is None or moment.received_at > away[1]:
        return moment.age_s
    missed = min(away[1], moment.now) - max(away[0], moment.received_at)
    return moment.age_s - max(missed, 0.0)


def _last_status(silent_s: float, last: Sequence[Need], waiting: int) -> str:
    words = [_short(each.what) for each in last[:_NEEDS_SAID]] or ["all well"]
    if not any(each.condition is Condition.WAITING for each in last):
        words.append(f"{captures(waiting)} waiting" if waiting else "nothing waiting")
    return (
        f"silent for {show_span(silent_s)}: check power and network at the site; "
        f"its last status: {', '.join(words)}"
    )


def _without_heartbeat(name: str, latest: float | None, reports: Reports, now: float) -> Device:
    if latest is not None and latest < EARLIEST_PLAUSIBLE:  # of an image without a time
        latest = None
    taken = None if latest is None else max(now - latest, 0.0)
    when = "" if taken is None else f", its latest capture is {show_span(taken)} old"
    if_in_use = "if it should still run, " if (taken or 0.0) > _LONG_S else ""
    files = {status_file(name), status_file(name, keeps_capitals=True)}
    unread = next((each.why for each in reports.problems if each.name in files), None)
    said = (
        f"no heartbeat{when}: {if_in_use}set AGENT_HEARTBEAT=15m on it, or update its agent"
        if unread is None
        else f"its heartbeat cannot be shown{when}: {unread}"
    )
    return Device(
        printable(name),  # of a record, in which nobody checked it
        Condition.NO_HEARTBEAT,
        said,
        since_s=taken,
        received=None if reports.received is None else reports.received.get(name, 0),
    )


def _marked(devices: Sequence[Device]) -> tuple[Usual, list[Device]]:
    """Return what most devices have, and the devices with a mark where they differ."""
    version, versions = _most_frequent(each.version for each in devices)
    models = Counter(
        (each.model_sha256, each.model) for each in devices if each.model_sha256 is not None
    )
    sha256, shas = _most_frequent(each.model_sha256 for each in devices)
    name = next((named for (sha, named), _ in models.most_common() if sha == sha256), None)
    found = []
    for each in devices:
        other_version = version is not None and each.version not in {None, version}
        other_model = sha256 is not None and each.model_sha256 not in {None, sha256}
        marks = list(each.marks)
        if other_version:
            marks.append(f"another version than {versions:,} others ({version})")
        if other_model:
            marks.append(f"another model than {shas:,} others ({name}, {(sha256 or '')[:12]})")
        found.append(
            replace(
                each,
                is_other_version=other_version,
                is_other_model=other_model,
                marks=tuple(marks),
            )
        )
    return Usual(version, name, sha256), found


def _most_frequent(values: Iterable[str | None]) -> tuple[str | None, int]:
    """Return the most frequent value and its number; None where two are as frequent."""
    first, second = (*Counter(v for v in values if v is not None).most_common(2), ("", 0), ("", 0))[
        :2
    ]
    return (first[0], first[1]) if first[1] > second[1] else (None, 0)


def _totals(devices: Sequence[Device]) -> Totals:
    counts = Counter(each.condition for each in devices)
    budgets = [each.budget_per_day for each in devices if each.budget_per_day is not None]
    return Totals(
        len(devices),
        {condition: counts[condition] for condition in Condition},
        sum(each.condition.needs_somebody for each in devices),
        sum(each.waiting for each in devices),
        sum(each.delivered for each in devices),
        round(sum(each for each in budgets if each > 0), 2),
        sum(each == 0 for each in budgets),
    )


def _notes(
    devices: Sequence[Device], refusal: str | None, usual_off: float, now: float
) -> Iterable[str]:
    if refusal is not None:
        yield refusal
    seen = [each for each in devices if each.seen_s is not None]
    early = sum((each.seen_at or 0.0) > now + CLOCK_OFF_S for each in seen)
    if early:
        yield (
            f"the latest heartbeat of {early:,} devices came at a later time than it is now: check "
            "this computer's clock; until then, whether they are silent is not known"
        )
    if len(seen) >= _FEW and all(each.condition is Condition.SILENT for each in seen):
        latest = min(each.seen_s or 0.0 for each in seen)
        yield (
            f"no device has sent a heartbeat for {show_span(latest)}: rather than each of them, "
            "check the endpoint of their heartbeats, the network between, and this computer's clock"
        )
    if usual_off:
        side = "ahead of" if usual_off > 0 else "behind"
        yield (
            f"the clocks of most devices are {show_span(abs(usual_off))} {side} the one that "
            "received their heartbeats: check that clock"
        )
