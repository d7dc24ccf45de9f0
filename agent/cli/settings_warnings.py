"""What is doubtful about the environment, but no reason to refuse it."""

import contextlib
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from agent.install.plan import ENV_FILE
from agent.printable import printable
from agent.settings.declarations import Settings
from agent.settings.load import foreign_variables

# Settings and variables that hold a secret, and addresses with one in them.
_SECRET_LINE = re.compile(
    r"(?im)^[ \t]*(?:export[ \t]+)?"
    r"(?:(?:AGENT_UPLOAD_TOKEN|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN)[ \t]*=[ \t]*[^\s#]|"
    r"AGENT_\w+[ \t]*=.*(?:://[^\s/]*@|pass|pwd|token=|key=|sig=|secret))"
)


_COMMON_NAMES = frozenset({
    "localhost", "raspberrypi", "ubuntu", "debian", "fedora", "armbian", "dietpi", "beaglebone",
    "orangepi", "odroid", "openwrt", "buildroot",
})  # fmt: skip
"""Host names that images of operating systems come with."""


def settings_warnings(env_file: Path = Path(ENV_FILE)) -> Iterator[str]:
    """Yield each warning, with its fix."""
    foreign = foreign_variables()
    if foreign:
        yield (
            f"ignored, because other programs set them: {', '.join(map(printable, foreign))}; "
            "none of them is a setting of this program"
        )
    with contextlib.suppress(OSError, UnicodeDecodeError):  # not installed, or not for our eyes
        mode = env_file.stat().st_mode
        if mode & stat.S_IROTH and _SECRET_LINE.search(env_file.read_text(encoding="utf-8")):
            yield (
                f"other users of this computer can read the secrets in {env_file}: "
                f"chmod o= {env_file}"
            )


def shared_id_warning(settings: Settings) -> str | None:
    """Return a warning if many systems have this device id before somebody gives them a name.

    Whether another device really sends with it, the receiver alone can know.
    """
    name = settings.device_id.partition(".")[0].lower()
    if settings.upload_url is None or name not in _COMMON_NAMES:
        return None
    return (
        f"the device id {printable(settings.device_id)} is the host name of many new systems; "
        "devices with the same id replace each other's heartbeats and draw their random captures "
        "at the same times: give each its own AGENT_DEVICE_ID"
    )
