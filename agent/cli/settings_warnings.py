"""What is doubtful about the environment, but no reason to refuse it."""

import contextlib
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from agent.install.plan import ENV_FILE
from agent.printable import printable
from agent.settings.load import foreign_variables

# Settings and variables that hold a secret, and addresses with one in them.
_SECRET_LINE = re.compile(
    r"(?im)^[ \t]*(?:export[ \t]+)?"
    r"(?:(?:AGENT_UPLOAD_TOKEN|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN)[ \t]*=[ \t]*[^\s#]|"
    r"AGENT_\w+[ \t]*=.*(?:://[^\s/]*@|pass|pwd|token=|key=|sig=|secret))"
)


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
