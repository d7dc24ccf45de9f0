"""The lasting names of V4L2 devices: `/dev/video0` may be another camera after the next boot."""

import os
from pathlib import Path

_FIRST_INDEX = "-index0"  # further ones of a camera carry metadata, not images


def name_advice(source: str, *, dev: Path = Path("/dev"), sys: Path = Path("/sys")) -> str:
    """Return which name to write in place of a device's path, and why; empty if none is better.

    `by-id` names contain make and serial number; cameras of one model without a serial number share
    one, which then leads to one of them. `by-path` names contain the socket.

    Args:
        source: The path of the device as it was written.
        dev: Where devices are.
        sys: Where the kernel describes them.
    """
    device = os.path.realpath(source)
    by_id, by_path = _links(dev / "v4l/by-id"), _links(dev / "v4l/by-path")
    same = _same_model(device, set(by_path.values()), sys)
    shared = any(other not in by_id.values() for other in same)
    if shared:
        name = next((link for link, to in by_path.items() if to == device), None)
        if name is None or Path(source).parent.name == "by-path":
            return ""
        return (
            f"write {name}: another camera of this model has the same by-id name, and the number "
            "of a device may change"
        )
    if Path(source).parent.name in ("by-id", "by-path"):
        return ""
    name = next((link for link, to in {**by_id, **by_path}.items() if to == device), None)
    return "" if name is None else f"write {name}: the number of a device may change at a boot"


def _links(folder: Path) -> dict[str, str]:
    """Return the links of a folder to devices that give images, and where they lead."""
    try:
        links = sorted(path for path in folder.iterdir() if path.name.endswith(_FIRST_INDEX))
    except OSError:
        return {}
    return {str(link): os.path.realpath(link) for link in links}


def _same_model(device: str, devices: set[str], sys: Path) -> set[str]:
    """Return the other devices with the same model name as `device`, and `device`."""
    model = _model(device, sys)
    if not model:
        return {device}
    return {device, *(other for other in devices if _model(other, sys) == model)}


def _model(device: str, sys: Path) -> str:
    try:
        return (sys / "class/video4linux" / Path(device).name / "name").read_text().strip()
    except (OSError, UnicodeError):
        return ""
