"""A camera's program for the machine inside: writes a clip as MJPEG to standard output for ever.

python grab.py CLIP [hang]: with `hang` it falls silent after a second, and ignores SIGTERM.
"""

import signal
import sys
import time

from camera import FRAMES_A_SECOND, images  # type: ignore[import-not-found]  # beside it in /srv

if __name__ == "__main__":
    hangs = sys.argv[2:] == ["hang"]
    if hangs:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stderr.write("looking at the street\n")
    frames = images(sys.argv[1])
    number = 0
    while not hangs or number < FRAMES_A_SECOND:
        sys.stdout.buffer.write(frames[number % len(frames)])
        sys.stdout.buffer.flush()
        number += 1
        time.sleep(1 / FRAMES_A_SECOND)
    time.sleep(10_000)
