"""From AGENT_UPLOAD_URL to the target it names."""

from pathlib import Path

from agent.errors import ConfigurationError
from agent.ports import Clock, UploadTarget
from agent.spool.disk import Disk
from agent.upload.directory import DirectoryTarget
from agent.upload.http import HttpTarget, is_loopback, masked, parse_http
from agent.upload.network import Network


def make_target(
    url: str,
    *,
    token: str | None,
    network: Network | None = None,
    clock: Clock,
    disk: Disk,
) -> UploadTarget:
    """Make the target that `url` names; nothing is contacted yet.

    Raises `ConfigurationError` for an address that names none.
    """
    scheme, _, rest = url.partition(":")
    if scheme.lower() in ("http", "https"):
        return HttpTarget(url, token=token, clock=clock, network=network)
    if scheme.lower() == "dir":
        if not rest.startswith("/") or "\0" in rest:
            raise ConfigurationError(
                f"AGENT_UPLOAD_URL: must be dir:/PATH with an absolute path, not {url!r}"
            )
        return DirectoryTarget(Path(rest), disk)
    raise ConfigurationError(
        "AGENT_UPLOAD_URL: must begin with https://, http:// or dir:/, "
        f"as https://HOST/PATH or dir:/PATH do, not {masked(url)!r}"
    )


def insecure_token_warning(url: str, token: str | None) -> str | None:
    """What to warn of when `token` would cross a network readable to all; else None."""
    if not token or not url.lower().startswith("http://"):
        return None
    host = parse_http(url).hostname or ""
    if is_loopback(host):
        return None
    return (
        f"AGENT_UPLOAD_TOKEN goes to {host} unencrypted: everybody on the way can read it and "
        "the pictures; use https:// if the endpoint has it"
    )
