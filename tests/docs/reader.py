"""Somebody who does what a page says, in a folder of his own.

The one thing that differs from the page is what a test machine does not have: `STAND_INS` names
it. A receiver runs on until the reader is done, as it does in the terminal beside.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from agent.cli.sample_clip import clip_pixels
from agent.cli.street_drawing import HEIGHT, WIDTH
from tests import ROOT
from tests.docs.pages import Block, commands, lines_of
from tests.limits import LIMIT_S
from tests.ports import free_port

FRAMES = 20


class Reader:
    """Runs blocks one after the other, keeping what they export."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._recording = folder / "street.mp4"
        short_clip(self._recording)
        (folder / "stick").mkdir()
        self._port = str(free_port())
        self.stand_ins: Mapping[str, str] = {
            "/dev/video0": str(self._recording),
            "8000": self._port,
            ".venv-demo/bin/activate": "/dev/null",  # the command is in the path already
            "10s": "100ms",  # the recording is shorter than a reader's
            "/media/stick": str(folder / "stick"),
            "models/nanodet-g-416.onnx": str(ROOT / "models" / "nanodet-g-416.onnx"),
        }
        inherited = {n: os.environ[n] for n in ("HOME", "LANG", "PYTHONPATH") if n in os.environ}
        self._environment = inherited | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "120",
            # A recording that stands for a camera is read at once, and surely leaves captures.
            "AGENT_FPS": "0",
            "AGENT_EVERY_NTH_FRAME": "10",
            "AGENT_SPOOL_MIN_FREE": "0",
        }
        self._receivers: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for receiver in self._receivers:
            receiver.terminate()
            receiver.communicate(timeout=LIMIT_S)

    def read(self, block: Block) -> str:
        """Do what a block says; answers what it printed, or fails."""
        return "".join(self.run(line) for line in lines_of(block.text))

    def run(self, line: str, *, code: int = 0) -> str:
        """One line of shell; what it exports stays, as in one terminal."""
        if re.match(r"(export )?[A-Z_0-9]+=", line) and not commands(line)[-1].words:
            for command in commands(self._with_stand_ins(line)):
                self._environment |= command.settings
            return ""
        if line.startswith("capture-agent receive"):
            return self._receive(line)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._with_stand_ins(line)],
            env=self._environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == code, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _receive(self, line: str) -> str:
        receiver = subprocess.Popen(
            ["bash", "-c", f"exec {self._with_stand_ins(line)}"],
            env=self._environment | {"PYTHONUNBUFFERED": "1"},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._receivers.append(receiver)
        assert receiver.stdout is not None
        said = receiver.stdout.readline()  # it says where it listens, or why it cannot
        assert self._port in said, said
        return said

    def _with_stand_ins(self, line: str) -> str:
        for real, ours in self.stand_ins.items():
            line = re.sub(rf"(?<!\w){re.escape(real)}(?!\w)", ours, line)
        return line


def short_clip(path: Path) -> None:
    """The first frames of the sample clip, as a video file."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (WIDTH, HEIGHT))
    for pixels in islice(clip_pixels(), FRAMES):
        writer.write(pixels)
    writer.release()
