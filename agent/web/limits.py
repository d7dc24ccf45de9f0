"""How much, how many and how long: what one client of the API can take from the others."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class WebLimits:
    """All limits of the API; times in seconds."""

    connections: int = 32
    streams: int = 8
    """Of the connections, those that may be event streams: calls always find a free one."""

    address_connections: int = 16
    """Connections of one address beyond this computer."""

    head_s: float = 10.0
    """From a connection, or from the first byte of a later request, to the end of its head."""

    head_bytes: int = 16_384
    idle_s: float = 20.0
    """Until a connection without a request is closed."""

    call_s: float = 30.0
    """A whole call: its body, the work, and its response. Event streams have no limit."""

    send_s: float = 15.0
    """How long a client may take nothing of what is sent to it."""

    linger_s: float = 1.0
    """How long a client that is sent away may take to read why."""

    body_bytes: int = 1_000_000
    image_bytes: int = 32_000_000
    """Of a body that holds an image."""

    bodies_bytes: int = 64_000_000
    """Of the bodies of all calls that are under way."""

    threads: int = 2
    """Of calls that wait for a disk or draw an image."""

    cpu_share: float = 0.1
    """Of one processor, for the thread that serves: beyond it all clients wait, and no camera."""

    pushing_cpu_share: float = 0.5
    """The same where applications push frames: taking them is a camera's work."""

    thread_cpu_share: float = 0.2
    """Of one processor, for the other threads: beyond it images and the like come later."""

    wrong_token_s: float = 1.0
    """How long the response to a wrong token waits."""

    wrong_tokens: int = 8
    """Responses to wrong tokens that wait at once; further ones are refused without a wait."""


LIMITS = WebLimits()
"""As the daemon has them; tests shorten the times."""


def limits_for(*, pushing: bool) -> WebLimits:
    """Return the limits of a daemon; `pushing`: applications send it frames."""
    return replace(LIMITS, cpu_share=LIMITS.pushing_cpu_share) if pushing else LIMITS


IMAGE_BYTES = LIMITS.image_bytes
