"""From AGENT_UPLOAD_URL to the target it names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from agent.errors import ConfigurationError
from agent.files import Disk
from agent.ports import CaptureFolder, Clock, UploadTarget
from agent.upload.http.options import HttpOptions
from agent.upload.targets.endpoint import EndpointTarget, is_loopback, masked, parse_http
from agent.upload.targets.folder import FolderTarget
from agent.upload.targets.label_studio import LabelStudioTarget
from agent.upload.targets.roboflow import RoboflowTarget
from agent.upload.targets.s3 import S3Target


@dataclass(frozen=True, slots=True)
class TargetContext:
    """What a target may need besides its address."""

    token: str | None = field(repr=False)
    network: HttpOptions
    clock: Clock
    disk: Disk
    capture_folder: Callable[[Path], CaptureFolder]  # opens the dataset folder at a path
    boot: str  # name of this boot as records have it; empty where it is unknown


def _http(url: str, means: TargetContext) -> UploadTarget:
    return EndpointTarget(url, token=means.token, clock=means.clock, network=means.network)


def _directory(url: str, means: TargetContext) -> UploadTarget:
    path = url.partition(":")[2]
    if not path.startswith("/") or "\0" in path:
        raise ConfigurationError(
            f"AGENT_UPLOAD_URL: must be dir:/PATH with an absolute path, not {masked(url)!r}"
        )
    return FolderTarget(means.capture_folder(Path(path)), means.disk)


def _roboflow(url: str, means: TargetContext) -> UploadTarget:
    return RoboflowTarget(url, token=means.token, clock=means.clock, network=means.network)


def _label_studio(url: str, means: TargetContext) -> UploadTarget:
    return LabelStudioTarget(
        url, token=means.token, clock=means.clock, network=means.network, boot=means.boot
    )


def _s3(url: str, means: TargetContext) -> UploadTarget:
    return S3Target(url, clock=means.clock, network=means.network)


TARGETS: Mapping[str, Callable[[str, TargetContext], UploadTarget]] = MappingProxyType(
    {
        "https://HOST/PATH": _http,
        "http://HOST/PATH": _http,
        "dir:/PATH": _directory,
        "roboflow://PROJECT": _roboflow,
        "roboflow+https://HOST/PROJECT": _roboflow,
        "roboflow+http://HOST/PROJECT": _roboflow,
        "s3://BUCKET/PREFIX": _s3,
        "label-studio+https://HOST/projects/ID": _label_studio,
        "label-studio+http://HOST/projects/ID": _label_studio,
    }
)
"""Every form of an address, and what makes its target."""

_BY_SCHEME = {form.partition(":")[0]: make for form, make in TARGETS.items()}


def make_target(
    url: str,
    *,
    token: str | None,
    network: HttpOptions | None = None,
    clock: Clock,
    disk: Disk,
    capture_folder: Callable[[Path], CaptureFolder],
    boot: str = "",
) -> UploadTarget:
    """Make the target that `url` names; nothing is contacted yet.

    Raises `ConfigurationError` for an address that names none.
    """
    make = _BY_SCHEME.get(url.partition(":")[0].lower())
    if make is None:
        raise ConfigurationError(
            f"AGENT_UPLOAD_URL: must be one of {', '.join(TARGETS)}, not {masked(url)!r}"
        )
    return make(
        url, TargetContext(token, network or HttpOptions(), clock, disk, capture_folder, boot)
    )


def insecure_token_warning(url: str, token: str | None) -> str | None:
    """What to warn of when `token` would cross a network readable to all; else None."""
    scheme, _, rest = url.partition("://")
    if not token or scheme.lower().rpartition("+")[2] != "http":
        return None
    host = parse_http(f"http://{rest}").hostname or ""
    if is_loopback(host):
        return None
    return (
        f"AGENT_UPLOAD_TOKEN goes to {host} unencrypted: everybody on the way can read it and "
        "the pictures; use https:// if the endpoint has it"
    )
