"""The errors that somebody catches and acts on; a class exists only for a different act.

Messages read "cannot X: why"; where a person can fix it, the last sentence says how.
"""

from enum import StrEnum


class AgentError(Exception):
    """Anything that the agent reports in one line instead of a traceback."""

    exit_code = 1


class ConfigurationError(AgentError):
    """Restarting cannot help until a person changes something: exit 78, systemd stops trying."""

    exit_code = 78


class ModelUnusable(ConfigurationError):
    """The file at AGENT_MODEL, or one beside it, is bad; use another model if there is one."""


class RefusalKind(StrEnum):
    """Why what a person or program asked of the daemon is refused."""

    INVALID = "invalid"  # what is asked makes no sense; change it
    UNKNOWN = "unknown"  # there is no such camera, capture or page
    GONE = "gone"  # the frame is too old
    UNUSABLE = "unusable"  # the image or the predictions that were sent cannot be used
    NOT_NOW = "not now"  # the same may work in a moment


class RequestRefused(AgentError):
    """The daemon does not do what another program asked; tell it why and go on."""

    def __init__(self, kind: RefusalKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class TemporaryError(AgentError):
    """The command cannot do it now; the same call may work later: exit 75."""

    exit_code = 75


class CameraLost(AgentError):
    """The source gives no frames now; close it and open it again after a wait."""


class UnusableImage(AgentError):
    """One image of a source cannot be used; skip it and take the next one."""


class SpoolUnavailable(AgentError):
    """The disk refuses; nothing was changed, keep the capture and try again."""


class DamagedRecord(AgentError):
    """These bytes are not a whole record file; set the file aside."""


class TargetUnavailable(AgentError):
    """The endpoint cannot take captures now; all wait, the next try may work.

    `retry_after` is what the endpoint asked for, in seconds, or None. Without `reached` there was
    no connection to it, so that a try costs nobody anything.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, reached: bool = True
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.reached = reached


class TargetBlocked(AgentError):
    """Every capture would fail until something is fixed; keep all, say it once, probe slowly."""


class TargetFailed(TargetBlocked):
    """A bug in a target: keep all, report its traceback once, probe slowly; captures go on."""


class StatusRefused(AgentError):
    """The endpoint has no place for the statuses of devices; captures go on, ask again seldom."""


class CaptureRejected(AgentError):
    """The endpoint refuses this one capture; others may pass."""


class UnfitCapture(AgentError):
    """This capture cannot be stored: it contradicts itself, or one that is already there."""


class DamagedDataset(AgentError):
    """No capture can be stored until a person has looked at the dataset folder."""
