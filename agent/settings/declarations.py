"""Every setting, once: its name, default, bounds and meaning, in the modules of `groups`.

The parser, the error messages, the commented env file and the README table are all made from
these declarations; a test fails when a copy drifts. A setting is read from the environment alone;
systemd reads the env file.
"""

from agent.settings.groups.application import ApplicationSettings
from agent.settings.groups.base import PREFIX, variable
from agent.settings.groups.cameras import CameraSettings
from agent.settings.groups.clips import ClipSettings
from agent.settings.groups.feedback import FeedbackSettings
from agent.settings.groups.logs import LogSettings
from agent.settings.groups.model import ModelSettings
from agent.settings.groups.privacy import PrivacySettings
from agent.settings.groups.selection import SelectionSettings
from agent.settings.groups.storage import StorageSettings
from agent.settings.groups.upload import UploadSettings

__all__ = ["PREFIX", "Settings", "variable"]


class Settings(
    LogSettings,
    ApplicationSettings,
    UploadSettings,
    ClipSettings,
    StorageSettings,
    FeedbackSettings,
    SelectionSettings,
    ModelSettings,
    PrivacySettings,
    CameraSettings,
):
    """Every setting of the operator. `load` reads them and reports every problem.

    Pydantic orders the fields from the last base to the first: the order of the env file.
    """
