"""What `check` says of heartbeats: where they go, and whether the endpoint takes them."""

from agent.cli.daemon import daemon_of
from agent.errors import StatusRefused
from agent.factories.delivery import upload_target
from agent.factories.heartbeat import status_bytes
from agent.factories.status_facts import facts_of, spool_status
from agent.ports import Clock, TakesStatus, UploadTarget
from agent.record.device_status import shown_device
from agent.settings.declarations import Settings
from agent.settings.units import show_duration
from agent.upload.guard import target_errors_only


def heartbeat_fact(target: UploadTarget, settings: Settings, clock: Clock) -> str:
    """Say whether heartbeats go to the target, by what the running daemon knows; sends nothing."""
    if settings.heartbeat is None:
        return "heartbeats are off"
    if not isinstance(target, TakesStatus):
        return "it has no place for heartbeats, so none are sent"
    every = f"a heartbeat each {show_duration(settings.heartbeat)}"
    state = daemon_of(settings.spool_dir, clock).state
    known = None if state is None else state.heartbeat
    if known is None or (known.sent is None and known.error is None):
        return f"{every}; --upload-test shows whether it takes one"
    if known.error is not None:
        return f"{every}: {known.error}"
    return f"{every}, the last one was taken"


def send_heartbeat(settings: Settings, clock: Clock) -> str:
    """Send the status of this device as a heartbeat does; raises as `TakesStatus.send_status`.

    Without a daemon it says that none runs.
    """
    target = upload_target(settings, clock=clock)
    if settings.heartbeat is None or not isinstance(target, TakesStatus):
        return "none is sent" if target is None else heartbeat_fact(target, settings, clock)
    view = daemon_of(settings.spool_dir, clock)
    facts = facts_of(spool_status(settings, clock), view, settings)
    data = status_bytes(facts, settings.heartbeat, clock)
    device = shown_device(settings.device_id)
    try:
        with target_errors_only(target.name):
            target.send_status(device, data)
    except StatusRefused as error:  # captures go on, so that nothing is wrong
        return f"not taken: {error}"
    return f"taken: {len(data)} bytes of {device}"
