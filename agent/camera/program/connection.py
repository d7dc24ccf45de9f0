"""A program as a camera: a thread takes all that it writes and keeps the newest frame."""

import contextlib
import fcntl
import os
import select
import threading
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from agent.camera.connection import CameraImage
from agent.camera.images.camera_image import decode_camera_image
from agent.camera.program.bursts import PAUSE_MS, FrameBursts
from agent.camera.program.lines import ErrorLines
from agent.camera.program.output import FrameCutter, JpegCutter, NotFrames, RawCutter, i420_bytes
from agent.camera.program.process import Process, is_readable
from agent.camera.program_address import parse_program
from agent.errors import CameraLost, UnusableImage
from agent.redaction import redact

_CHUNK = 1 << 20  # bytes; as much as a pipe holds that a user may ask for
_SLICE_S = 0.2
_EXIT_S = 0.2
_JOIN_S = 0.5


class Program:
    """A running program, as a `Connection`. Old frames never wait: the newest one replaces them."""

    paced = False
    fresh = True

    def __init__(
        self,
        source: str,
        *,
        open_s: float,
        read_s: float,
        report: Callable[[str], None],
        waiting: Callable[[], object] = lambda: None,
    ) -> None:
        """Start the command of `source` and wait for its first frame.

        Args:
            source: `exec:COMMAND`, see `program_address`.
            open_s: Seconds for the first frame.
            read_s: Seconds for each further one.
            report: Gets the lines that the program writes to standard error, printable and without
                secrets; another thread calls it.
            waiting: Called now and then while this thread waits for a frame; it may raise
                `CameraLost`.

        Raises:
            CameraLost: It cannot be started, ends, or writes no frame; the message is the reason
                alone.
        """
        parsed = parse_program(source)
        self._size = parsed.size
        self._timeout = read_s
        self._lines = ErrorLines(report)
        self._waiting = waiting
        self._cutter: FrameCutter = JpegCutter()
        self._bursts: FrameBursts | None = None
        if self._size is not None:
            self._cutter = RawCutter(*self._size)
            self._bursts = FrameBursts(*self._size, i420_bytes(*self._size))
        self._held: tuple[bytes | None] | None = None  # until the size is known to be right
        self._changed = threading.Condition()
        self._newest: tuple[bytes | None] | None = None  # None inside: a damaged frame
        self._grabbed: bytes | None = None
        self._end: str | None = None  # why no frame will come
        self._frames = 0
        self._bytes = 0
        self._output_ended = threading.Event()
        self._process, self._wake = _started(parsed.words)
        self._thread = threading.Thread(
            target=self._drain, name=f"program {self._process.name}", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError as error:  # there are as many threads as the service may have
            self._process.end(self._output_ended)
            for end in (self._process.stdout, self._process.stderr):
                end.close()
            os.close(self._wake)
            raise CameraLost(f"cannot read {self._process.name}: {error}") from error
        try:
            self._await(open_s)
        except CameraLost:
            self.close()
            raise

    def due_in(self) -> float:
        """See `Connection`."""
        return 0.0

    def grab(self) -> bool:
        """See `Connection`."""
        self._await(self._timeout)
        with self._changed:
            newest, self._newest = self._newest, None
            self._grabbed = None if newest is None else newest[0]
        return True

    def retrieve(self) -> CameraImage:
        """See `Connection`."""
        if self._grabbed is None:
            raise UnusableImage("cannot use an image: the program wrote it incomplete")
        if self._size is None:
            return decode_camera_image(self._grabbed)
        width, height = self._size
        planes = np.frombuffer(self._grabbed, np.uint8).reshape(height * 3 // 2, width)
        return CameraImage(np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), np.uint8))

    def interrupt(self) -> None:
        """Let `grab` raise `CameraLost`, and the program begin to end; any thread may call it."""
        self._finish("it was stopped")
        self._process.ask_to_end()

    def close(self) -> None:
        """See `Connection`. Takes up to 2 s, if the program does not end by itself."""
        self._finish("it was closed")
        self._process.end(self._output_ended)
        os.eventfd_write(self._wake, 1)
        self._thread.join(_JOIN_S)
        if not self._thread.is_alive():
            os.close(self._wake)

    def _await(self, seconds: float) -> None:
        """Wait for a frame; raises `CameraLost` if the program ended or the time is over."""
        until = time.monotonic() + seconds
        with self._changed:
            while self._newest is None and self._end is None:
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, _SLICE_S))
                self._waiting()
            if self._newest is not None:
                return
            if self._end is not None:
                raise CameraLost(self._end)
            why = f"no new frame for {seconds:.1f} s"
            if not self._bytes:
                why = f"it wrote nothing for {seconds:.1f} s"
            elif not self._frames:
                rest = self._cutter.rest()
                why = f"no frame for {seconds:.1f} s. It wrote {self._bytes} bytes" + (
                    rest and f": {rest}"
                )
        raise CameraLost(redact(f"{why}{self._lines.last()}"))

    def _finish(self, why: str) -> None:
        with self._changed:
            if self._end is None:
                self._end = redact(why)
            self._changed.notify_all()

    def _drain(self) -> None:
        """Read both outputs until their ends, or until `close` wakes it."""
        with self._process.stdout as stdout, self._process.stderr as stderr:
            with contextlib.suppress(OSError):  # more than this user may have
                fcntl.fcntl(stdout, fcntl.F_SETPIPE_SZ, _CHUNK)
            out, err = stdout.fileno(), stderr.fileno()
            poll = select.poll()
            for descriptor in (out, err, self._wake):
                poll.register(descriptor, select.POLLIN)
            open_ends = {out, err}
            while open_ends:
                ready = {descriptor for descriptor, _ in poll.poll(self._pause_ms())}
                if not ready:
                    self._take(b"")
                if self._wake in ready:
                    break
                if err in ready:
                    data = os.read(err, _CHUNK)
                    self._lines.take(data, is_end=not data)
                    if not data:
                        open_ends.discard(err)
                        poll.unregister(err)
                if out in ready:
                    data = os.read(out, _CHUNK)
                    if data:
                        self._take(data)
                    else:
                        open_ends.discard(out)
                        poll.unregister(out)
                        how = self._process.exit_text(_EXIT_S)
                        self._lines.take(_available(err), is_end=True)
                        self._publish()
                        self._finish(self._why_ended(how))
            self._output_ended.set()

    def _take(self, data: bytes) -> None:
        """Keep the newest frame of `data`; what comes after the end is read and forgotten."""
        self._bytes += len(data)
        if self._end is not None:
            return
        try:
            for frame in self._cutter.feed(data):
                self._held = (frame,)
                self._frames += 1
            self._note_burst(len(data))
        except NotFrames as error:
            self._held = None
            self._finish(f"{error}{self._lines.last()}")
        if not self._bursts or self._bursts.settled:
            self._publish()

    def _note_burst(self, count: int) -> None:
        """Count bytes, or note a pause, where 0; raises `NotFrames`."""
        if self._bursts and count:
            self._bursts.take(count)
        elif self._bursts:
            self._bursts.pause()

    def _pause_ms(self) -> float | None:
        """Return how long to wait for the end of a burst, None for ever."""
        return PAUSE_MS if self._bursts and not self._bursts.settled else None

    def _publish(self) -> None:
        """Let `grab` have the frame that is held."""
        if self._held is not None:
            with self._changed:
                self._newest, self._held = self._held, None
                self._changed.notify_all()

    def _why_ended(self, how: str) -> str:
        rest = self._cutter.rest()
        rest = rest and f"; it wrote {rest}"
        before = "" if self._frames else f" after {self._process.ran_for:.1f} s without a frame"
        return f"{how}{before}{rest}{self._lines.last()}"


def _started(words: Sequence[str]) -> tuple[Process, int]:
    """Start a program; return it and what wakes its thread. Raises `CameraLost`."""
    try:
        wake = os.eventfd(0)
    except OSError as error:  # there are as many files as the process may have
        raise CameraLost(f"cannot start a program: {error.strerror}") from error
    try:
        return Process(words), wake
    except CameraLost:
        os.close(wake)
        raise


def _available(descriptor: int) -> bytes:
    """Return what can be read at once."""
    return os.read(descriptor, _CHUNK) if is_readable(descriptor, 0.0) else b""
