"""Names of topics: pure, and no two names of devices become one topic."""

import re
from dataclasses import dataclass
from urllib.parse import quote

ONLINE, OFFLINE = "online", "offline"
"""What `availability` says."""

_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_-]|_(?=u[0-9a-f]{6})")


def topic_level(name: str) -> str:
    """Return a name as one level of a topic: what has a meaning there is percent-encoded."""
    return quote(name, safe=" ", errors="surrogatepass")


def object_id(name: str) -> str:
    """Return a name as Home Assistant takes it in a discovery topic: of `[a-zA-Z0-9_-]`.

    Other characters become `_u` and six hexadecimal digits, so that no two names become one.
    """
    return _NOT_IN_ID.sub(lambda found: f"_u{ord(found[0]):06x}", name)


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics of one device."""

    prefix: str
    device: str

    @property
    def root(self) -> str:
        """What all topics of the device begin with."""
        return f"{self.prefix}/{topic_level(self.device)}"

    @property
    def availability(self) -> str:
        """Whether the device is connected; retained."""
        return f"{self.root}/availability"

    @property
    def state(self) -> str:
        """The device as one JSON object; retained."""
        return f"{self.root}/state"

    @property
    def captures(self) -> str:
        """Each capture with its reasons."""
        return f"{self.root}/captures"

    @property
    def errors(self) -> str:
        """Why a command was refused."""
        return f"{self.root}/errors"

    @property
    def capture(self) -> str:
        """Commands to capture."""
        return f"{self.root}/capture"

    def any_camera(self, what: str) -> str:
        """Return the filter of what is published of all cameras."""
        return f"{self.root}/cameras/+/{what}"

    def camera(self, name: str, what: str) -> str:
        """Return a topic of one camera."""
        return f"{self.root}/cameras/{topic_level(name)}/{what}"

    def commanded(self, topic: str, cameras: tuple[str, ...]) -> str | None:
        """Return which camera a command's topic names, "" for none; None if it is no command."""
        if topic == self.capture:
            return ""
        return next((name for name in cameras if topic == self.camera(name, "capture")), None)
