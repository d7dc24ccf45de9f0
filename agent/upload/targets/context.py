"""What targets are made from, besides their address."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.files import Disk
from agent.ports import CaptureFolder, Clock, UploadTarget
from agent.upload.http.options import HttpOptions


@dataclass(frozen=True, slots=True)
class TargetContext:
    """What a target may need besides its address."""

    token: str | None = field(repr=False)
    clock: Clock
    disk: Disk
    capture_folder: Callable[[Path], CaptureFolder]  # opens the dataset folder at a path
    network: HttpOptions = field(default_factory=HttpOptions)
    own_folders: tuple[Path, ...] = (Path("/"),)  # on the disks that the device itself needs
    min_free: int = 0  # bytes that must stay free there
    boot: str = ""  # name of this boot as records have it; empty where it is unknown
    needs_clips: bool = True  # a capture may not go without the clip that it has


class OpensTarget(Protocol):
    """The class that a row of `TARGETS` names."""

    def from_url(self, url: str, context: TargetContext) -> UploadTarget:
        """Make the target for `url` without contacting it; a classmethod.

        Raises `ConfigurationError` for an address, token or option that can never work.
        """
