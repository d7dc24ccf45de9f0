"""The tightest pipeline of one process: what no daemon can beat on the same machine.

Pull workers take turns at the recordings: decode (PyAV), letterbox into a buffer that is used
again, run the model, decode its outputs, NMS. No queue, no copy, no selection; the code is this
file's own, so that a slow part of the daemon slows one side alone. `python -m
tests.bench.pipeline.bare '{"recordings": [...], "workers": 2, "fps": 0, "whole": true}'` prints
one JSON object.
"""

import json
import math
import os
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from agent.detector.model_file.bundled import bundled_model

FLOOR = 0.05  # the default of AGENT_FLOOR
IOU = 0.6
LONGEST = 416  # pixels of the input's longest side where the model's axes are free
STRIDES = (8, 16, 32)
MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)


class Source:
    """A recording that several workers read, one frame each."""

    def __init__(self, path: str) -> None:
        self._container = av.open(path)
        stream = self._container.streams.video[0]
        stream.thread_type = "AUTO"
        self._frames = self._container.decode(stream)
        self._lock = threading.Lock()

    def read(self) -> NDArray[np.uint8] | None:
        """Return the next frame as BGR; None at the end."""
        with self._lock:
            frame = next(self._frames, None)
            return None if frame is None else np.asarray(frame.to_ndarray(format="bgr24"))


class Model:
    """The bundled model, with the options that the daemon gives it."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(path, options, providers=providers)
        [self.input] = self.session.get_inputs()

    def size_for(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of the input for a frame."""
        rows, columns = self.input.shape[2:]
        if isinstance(rows, int) and isinstance(columns, int):
            return columns, rows
        scale = LONGEST / max(width, height)
        stride = max(STRIDES)
        across, down = (math.ceil(each * scale / stride) * stride for each in (width, height))
        return across, down


class Analysis:
    """The buffers of one worker."""

    def __init__(self, model: Model) -> None:
        self._model = model
        values = np.arange(256, dtype=np.float32)
        self._tables = [
            ((values - mean) / std).astype(np.float32) for mean, std in zip(MEAN, STD, strict=True)
        ]
        self._shape: tuple[int, ...] = ()

    def run(self, pixels: NDArray[np.uint8]) -> int:
        """Analyse a frame; return the number of detections."""
        if pixels.shape != self._shape:
            self._prepare(pixels)
        cv2.resize(pixels, self._resized, dst=self._small, interpolation=cv2.INTER_LINEAR)
        cv2.split(self._small, self._planes)
        if self._tensor.dtype == np.float32:
            for plane, table, window in zip(self._planes, self._tables, self._windows, strict=True):
                cv2.LUT(plane, table, dst=window)
        else:
            for plane, window in zip(self._planes, self._windows, strict=True):
                window[...] = plane
        return self._found(self._model.session.run(None, {self._model.input.name: self._tensor}))

    def run_alone(self, pixels: NDArray[np.uint8]) -> int:
        """Run the model on the latest input, without letterbox, decoding and NMS."""
        if pixels.shape != self._shape:
            self._prepare(pixels)
        self._model.session.run(None, {self._model.input.name: self._tensor})
        return 0

    def _prepare(self, pixels: NDArray[np.uint8]) -> None:
        self._shape = pixels.shape
        height, width = pixels.shape[:2]
        across, down = self._model.size_for(width, height)
        scale = min(across / width, down / height)
        self._resized = min(across, round(width * scale)), min(down, round(height * scale))
        self._small = np.empty((self._resized[1], self._resized[0], 3), np.uint8)
        self._planes = tuple(np.empty((3, *self._small.shape[:2]), np.uint8))
        is_float = "float" in self._model.input.type
        kind = np.float32 if is_float else np.uint8
        self._tensor: NDArray[Any] = np.zeros((1, 3, down, across), kind)
        for channel, table in zip(self._tensor[0], self._tables, strict=True):
            channel[...] = table[0] if is_float else 0
        self._windows = [
            channel[: self._resized[1], : self._resized[0]] for channel in self._tensor[0]
        ]
        self._cells = {
            math.ceil(across / stride) * math.ceil(down / stride): (
                stride,
                math.ceil(across / stride),
            )
            for stride in STRIDES
        }

    def _found(self, outputs: list[NDArray[np.float32]]) -> int:
        """Decode NanoDet's cells at or above the floor, and suppress; return how many remain."""
        scores = {out.shape[1]: out[0] for out in outputs if out.shape[2] not in (32, 44)}
        sides = {out.shape[1]: out[0] for out in outputs if out.shape[2] in (32, 44)}
        boxes, confidences, labels = [], [], []
        for cells, (stride, columns) in self._cells.items():
            level = scores[cells]
            above = np.flatnonzero(level.ravel() >= FLOOR)
            if not len(above):
                continue
            rows = np.unique(above // level.shape[1])
            chosen = level[rows]
            best = chosen.argmax(1)
            logits = sides[cells][rows].reshape(len(rows), 4, -1)
            weights = np.exp(logits - logits.max(2, keepdims=True))
            steps = np.arange(weights.shape[2], dtype=np.float32)
            left, top, right, bottom = (weights @ steps / weights.sum(2)).T
            x, y = rows % columns + 0.5, rows // columns + 0.5
            corners = np.stack((x - left, y - top, left + right, top + bottom), 1) * stride
            boxes += corners.tolist()
            confidences += chosen[np.arange(len(rows)), best].tolist()
            labels += best.tolist()
        if not boxes:
            return 0
        return len(cv2.dnn.NMSBoxesBatched(boxes, confidences, labels, FLOOR, IOU))


def analyse(recordings: list[str], *, workers: int, fps: float, whole: bool) -> dict[str, float]:
    """Analyse recordings to their ends; return the frames, and the cost without the start.

    Args:
        recordings: Paths; the workers take turns at them.
        workers: Threads.
        fps: Paces a single worker at one recording; 0 for full speed.
        whole: False: decoding and the run alone.
    """
    model = Model(bundled_model())
    Analysis(model).run(np.zeros((720, 1280, 3), np.uint8))  # as the daemon's trial run
    frames = [0] * workers
    began, cpu = time.perf_counter(), time.process_time()
    turns = deque(Source(path) for path in recordings)

    def work(number: int) -> None:
        analysis = Analysis(model)
        step = analysis.run if whole else analysis.run_alone
        due = time.perf_counter()
        while turns:
            try:
                source = turns[0]
                turns.rotate(-1)
            except IndexError:
                return
            pixels = source.read()
            if pixels is None:
                try:
                    turns.remove(source)
                except ValueError:
                    continue
                continue
            step(pixels)
            frames[number] += 1
            if fps:
                due += 1 / fps
                time.sleep(max(0.0, due - time.perf_counter()))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    return {"frames": sum(frames), "seconds": seconds, "cpu_s": used}


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    json.dump(
        analyse(
            asked["recordings"],
            workers=asked.get("workers") or len(os.sched_getaffinity(0)),
            fps=asked["fps"],
            whole=asked["whole"],
        ),
        sys.stdout,
    )
