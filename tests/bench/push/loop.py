"""The same work in one thread without HTTP: `python -m tests.bench.push.loop FRAMES FPS KIND`.

KIND `loop`: check, decode, shrink and select, with the daemon's own parts; `decode`: decode alone.
Prints one JSON object: frames, seconds, CPU seconds.
"""

import json
import sys
import time
from collections.abc import Callable
from queue import Queue

from agent.camera.images.camera_image import decode_camera_image
from agent.camera.push.door import PushDoor
from agent.camera.push.intake import PushCamera, PushIntake
from agent.camera.push.source import PushSource
from agent.camera.thumbnail import small_grey
from agent.detector.application_model import ApplicationModel
from agent.domain import Task
from agent.factories.selection import plan_for
from agent.logs import make_log
from agent.runtime.inference import Inference
from agent.runtime.mailbox import Mailbox
from agent.runtime.stats import Stats
from agent.selection.device import Selection
from agent.settings.load import without_environment
from agent.system import SystemClock, new_id
from tests.bench.push.frames import images, predictions


def measure() -> None:
    """Run the loop, and print what it took."""
    frames, fps, kind = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    files = images()
    texts = [predictions(frame) for frame in range(len(files))]
    step = _decode if kind == "decode" else _whole()
    step(files[0], texts[0])
    began, cpu = time.perf_counter(), time.process_time()
    for frame in range(frames):
        step(files[frame % len(files)], texts[frame % len(files)])
        if fps:
            time.sleep(max(0.0, began + (frame + 1) / fps - time.perf_counter()))
    seconds = time.perf_counter() - began
    print(json.dumps([frames, seconds, time.process_time() - cpu]))


def _decode(image: bytes, _: bytes) -> None:
    decode_camera_image(image)


def _whole() -> Callable[[bytes, bytes], None]:
    clock = SystemClock()
    model = ApplicationModel(Task.DETECT)
    door = PushDoor("line", fps=0, clock=clock)
    intake = PushIntake(
        [PushCamera(door, Task.DETECT)],
        others=(),
        floor=0.05,
        redact=(),
        model=lambda: model.info,
    )
    source = PushSource(door, stall=20.0, clock=clock, boot_id="boot")
    mailbox = Mailbox({"line": False})
    plan, _ = plan_for(without_environment(), Task.DETECT)
    selection = Selection(["line"], plan, new_id=new_id)
    inference = Inference(
        mailbox,
        model,
        selection,
        Queue(0),
        shrink=small_grey,
        stats=Stats(),
        clock=clock,
        log=make_log(level="critical"),
    )

    def step(image: bytes, text: bytes) -> None:
        intake.put("line", image, text)
        mailbox.put(source.read())
        inference.step()

    return step


if __name__ == "__main__":
    measure()
