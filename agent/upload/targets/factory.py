"""From AGENT_UPLOAD_URL to the target that it names."""

from importlib import import_module
from typing import cast

from agent.errors import ConfigurationError
from agent.ports import UploadTarget
from agent.redaction import redact_endpoint
from agent.upload.targets.browser_address import target_address
from agent.upload.targets.context import OpensTarget, TargetContext
from agent.upload.targets.registry import TARGETS, TargetRow, address_forms, find_target


def make_target(
    url: str, context: TargetContext, *, targets: tuple[TargetRow, ...] = TARGETS
) -> UploadTarget:
    """Make the target that `url` names; nothing is contacted yet.

    Raises `ConfigurationError` for an address that names none.
    """
    url = target_address(url)
    row = find_target(url, targets)
    if row is None:
        hint = "; for a folder write dir: before its path" if url.startswith("/") else ""
        raise ConfigurationError(
            f"AGENT_UPLOAD_URL: must be one of {address_forms(targets)}, "
            f"not {redact_endpoint(url)!r}{hint}"
        )
    return target_class(row).from_url(url, context)


def refuses_clips(url: str | None) -> str | None:
    """Return the kind of endpoint that `url` names if it has no place for clips, else None."""
    row = find_target(target_address(url)) if url else None
    return row.name if row is not None and not row.takes_clips else None


def target_class(row: TargetRow) -> OpensTarget:
    """Import the class that a row names."""
    module, _, name = row.target_class.partition(":")
    return cast("OpensTarget", getattr(import_module(module), name))
