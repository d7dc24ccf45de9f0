"""The nouns of the fleet view: what is known of the devices, and a device as people see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The latest heartbeat of one device."""

    device: str
    received_at: float  # seconds since 1970 UTC, by the clock of the place that keeps it
    status: Mapping[str, Any]
    is_newer: bool = False  # of a later format than this program knows


@dataclass(frozen=True, slots=True)
class Problem:
    """Something among the heartbeats that could not be read."""

    name: str  # of the file or object
    why: str
    is_heartbeat: bool = True  # one device is not shown for it; False: a foreign file


@dataclass(frozen=True, slots=True)
class Reports:
    """All that is known of the devices of a fleet at one moment."""

    heartbeats: tuple[Heartbeat, ...] = ()
    captured: Mapping[str, float | None] = field(default_factory=lambda: MappingProxyType({}))
    """Devices that captures name, with the time of the latest capture."""
    problems: tuple[Problem, ...] = ()
    received: Mapping[str, int] | None = None
    """Captures of each device since the receiver started; None where no receiver counts."""
    away: tuple[float, float] | None = None
    """From when until when nobody could take heartbeats, in seconds since 1970 UTC."""
    refusal: str | None = None
    """Why heartbeats of new devices are refused, where they are."""


class Condition(StrEnum):
    """What a device is in, the most urgent first."""

    SILENT = "silent"  # no heartbeat for too long
    FAILING = "failing"  # it cannot deliver, store or see
    WAITING = "waiting"  # captures wait for too long
    ATTENTION = "attention"  # anything else that a person must look at
    STOPPED = "stopped"  # its daemon was stopped in an orderly way
    NO_HEARTBEAT = "no heartbeat"  # captures name it, but it never sent one
    WELL = "well"

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return list(Condition).index(self)

    @property
    def needs_somebody(self) -> bool:
        """Whether a person must do something."""
        return self in {Condition.SILENT, Condition.FAILING, Condition.WAITING, Condition.ATTENTION}


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a person must look at."""

    condition: Condition
    what: str
    fix: str = ""
    since_s: float | None = None  # how long it has lasted
    word: str = "attention"  # for a narrow column


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera of a device."""

    name: str
    words: str  # its condition: "live, 4.8 fps", "lost for 2.0 h"
    state: str
    is_well: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One row of the fleet view. Texts come from the device: show them by `printable`."""

    name: str
    condition: Condition
    sentence: str  # what is wrong and what to do; empty where all is well
    since_s: float | None = None  # how long the condition has lasted
    seen_at: float | None = None  # seconds since 1970 UTC
    seen_s: float | None = None
    heartbeat_s: float | None = None
    clock_off_s: float | None = None  # what its clock is ahead; None: unknown
    version: str | None = None
    is_other_version: bool = False  # than most devices have
    model: str | None = None
    model_sha256: str | None = None
    is_other_model: bool = False
    cameras: tuple[Camera, ...] = ()
    is_past: bool = False  # its cameras were so at its last heartbeat, and may not be now
    waiting: int = 0
    waiting_bytes: int = 0
    oldest_waiting: float | None = None  # seconds since 1970 UTC, by the device's clock
    oldest_waiting_s: float | None = None
    delivered: int = 0
    last_delivered: float | None = None
    credits_left: float | None = None  # -1: no budget
    next_credit_s: float | None = None  # from its status on; 0: one may be spent
    budget_per_day: float | None = None  # 0: no budget
    upload: str | None = None
    disk: str | None = None
    last_error: str | None = None
    needs: tuple[Need, ...] = ()
    marks: tuple[str, ...] = ()  # what differs from most other devices, and what is not understood
    received: int | None = None  # captures since the receiver started
