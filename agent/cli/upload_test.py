"""`check --upload-test`: one marked frame goes the whole way, past the spool."""

import numpy as np

from agent.camera.address import SourceKind
from agent.detector.application_model import ApplicationModel
from agent.domain import Capture, Clip, ClipFrame, Frame, Lane, Observation, RuleHit, StoredCapture
from agent.errors import CameraLost
from agent.factories.cameras import frame_source
from agent.factories.delivery import upload_target
from agent.factories.images import clip_encoder, clip_span, image_encoder, record_maker
from agent.factories.model import application_task, detector_of
from agent.ports import Clock
from agent.record.file_format import decode, encode
from agent.settings.declarations import Settings
from agent.system import clock_synchronized, new_id
from agent.upload.guard import target_errors_only

RULE = "upload_test"


def send_marked_frame(settings: Settings, clock: Clock) -> str:
    """Send a frame whose record names the rule `upload_test`; raises as `UploadTarget.send`."""
    target = upload_target(settings, clock=clock)
    if target is None:
        return "AGENT_UPLOAD_URL is not set: there is nowhere to send to"
    began = clock.monotonic()
    capture = marked_capture(settings, clock)
    with target_errors_only(target.name):
        receipt = target.send(capture)
    seconds = clock.monotonic() - began
    return f"{target.name} proved that it has capture {receipt.id}, after {seconds:.1f} s"


def marked_capture(settings: Settings, clock: Clock) -> StoredCapture:
    """A frame of the first camera, or a grey one where it gives none, as a capture.

    With AGENT_CLIP it has a clip of this one frame, as the endpoint must prove clips too.
    """
    frame = _frame(settings, clock)
    task = application_task(settings)
    detector = detector_of(settings) if task is None else ApplicationModel(task)
    seen = detector.detect(frame.pixels)
    observation = Observation(
        frame, seen.detections, classes=seen.classes, invalid=seen.invalid, model=seen.model
    )
    hits = (RuleHit(RULE, 1.0),)
    image = image_encoder(settings).encode(observation)
    maker = record_maker(settings, detector.info)
    clip = _clip(observation, settings)
    wall = clock.wall()
    record = maker.make(
        new_id(wall),
        Capture(observation, Lane.REQUESTED, hits, value=1.0, clip=clip),
        image,
        clock_synchronized=clock_synchronized(wall),
    )
    frames = clip.data if clip is not None else b""
    return decode(encode({**record, "sequence": 0}, image.data, frames))


def _clip(observation: Observation, settings: Settings) -> Clip | None:
    """Return a clip of this frame; None where captures have no clips."""
    if clip_span(settings) is None:
        return None
    image = clip_encoder(settings).encode(observation)
    return Clip((ClipFrame(observation.frame.at, image.data, image.width, image.height),))


def _frame(settings: Settings, clock: Clock) -> Frame:
    camera = settings.cameras[0]
    if camera.kind is SourceKind.PUSH:  # nobody sends frames now
        return _grey(camera.name, clock)
    source = frame_source(camera, settings, fps=0, clock=clock)
    try:
        frame = source.read()
    except CameraLost:  # its own line says so
        frame = None
    finally:
        source.close()
    return frame or _grey(camera.name, clock)


def _grey(camera: str, clock: Clock) -> Frame:
    grey = np.full((480, 640, 3), 128, np.uint8)
    now = clock.monotonic()
    return Frame(camera, 0, grey, now, clock.wall(), int(now * 1e9))
