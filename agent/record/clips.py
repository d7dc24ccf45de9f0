"""What a clip may be: its span, its images, and how many of them fit into memory."""

from agent.domain import ClipSpan

RING_BYTES = 64_000_000
"""Encoded frames in memory at once, of all cameras: those that may become part of a clip, and those
of captures that are not stored yet. A thirtieth of the memory of a 2 GB device."""

MOST_FRAMES = 300
"""Frames of one clip: 12 s at 25 frames a second, a minute at 5."""

MOST_BYTES = 16_000_000
"""Bytes of one clip: 300 frames of the usual size, and some more."""

FRAME_BYTES = 50_000
"""Usual size of a frame of a clip. Measured at 640 x 360: a street 11,000 to 34,000 bytes, a drawn
film 40,000 to 44,000, noise 140,000."""

SIDE = 640
"""Longest side of a clip's frames, in pixels. They show what happened; the capture's own image is
stored whole."""

QUALITY = 75
"""JPEG quality of a clip's frames; below it edges blur, above it the size grows fast."""

CLIP_TYPE = "video/x-motion-jpeg"
"""Media type of a clip as it is sent: its JPEGs, one after the other."""

LONGEST_S = 60.0
"""Each part of a clip, in seconds: a capture waits that long in memory for what comes after it."""


def clip_problem(span: ClipSpan, *, fps: float, cameras: int) -> str | None:
    """Return why clips of this span can never fit into memory; None if they may.

    `fps`: frames analysed per second and camera; 0 if nobody knows.
    """
    frames = round((span.before + span.after) * fps)
    cannot = f"cannot keep {span} at AGENT_FPS={fps:g}"
    if frames > MOST_FRAMES:
        return (
            f"{cannot}: it has {frames} frames, and a clip holds {MOST_FRAMES}; choose a shorter "
            "clip, or a lower AGENT_FPS"
        )
    most = RING_BYTES // FRAME_BYTES
    if frames * cameras > most:
        return (
            f"{cannot} for {cameras} cameras: they have {frames * cameras} frames, and the memory "
            f"for clips holds {most}; choose a shorter clip, or a lower AGENT_FPS"
        )
    return None
