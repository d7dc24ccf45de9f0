"""What is known of a fleet: from a folder of a receiver or of devices, or from a bucket."""

from collections.abc import Callable
from pathlib import Path

from agent.dataset.bucket_address import is_bucket
from agent.errors import AgentError, ConfigurationError
from agent.files import Disk
from agent.fleet.devices import Heartbeat, Problem, Reports
from agent.printable import printable
from agent.settings.units import closest
from agent.system import SystemClock

Progress = Callable[[int, int], None]


def fleet_reports(source: str, progress: Progress | None = None) -> Reports:
    """Return what a place knows of the devices that deliver to it.

    Args:
        source: A folder, or `dir:FOLDER` or `s3://BUCKET/PREFIX` as in AGENT_UPLOAD_URL.
        progress: Is told how many heartbeats of a bucket were read, and how many there are.

    Raises:
        ConfigurationError: The address, the credentials or the rights are wrong, or nothing there
            is of a device.
        TemporaryError: The bucket does not answer.
    """
    reports = _of_bucket(source, progress) if is_bucket(source) else _of_folder(source)
    if not reports.heartbeats and not reports.captured and not reports.problems:
        raise ConfigurationError(
            f"cannot show a fleet: {printable(source)} has neither heartbeats (devices/) nor "
            "captures; name the folder of `receive --dir`, or what AGENT_UPLOAD_URL of the devices "
            "names"
        )
    return reports


def forget_device(source: str, device: str) -> None:
    """Delete the heartbeat of a device in such a place, and nothing else.

    Raises as `fleet_reports`, and `ConfigurationError` where the device has none.
    """
    if is_bucket(source):
        from agent.fleet.bucket import forget_in as forget_in_bucket
        from agent.fleet.bucket import opened

        is_forgotten = forget_in_bucket(opened(source), device)
    else:
        from agent.fleet.folder import forget_in

        directory = Path(source.removeprefix("dir:")).absolute()
        try:
            is_forgotten = forget_in(directory, Disk(inside=directory), device)
        except OSError as error:
            raise ConfigurationError(
                f"cannot forget {printable(device)} in {printable(source)}: {error.strerror}"
            ) from error
    if not is_forgotten:
        raise ConfigurationError(_not_there(fleet_reports(source), source, device))


def _not_there(reports: Reports, source: str, device: str) -> str:
    cannot = f"cannot forget {printable(device)}"
    if device in reports.captured:
        return f"{cannot}: it has no heartbeat; its captures name it, and they stay"
    near = closest(device, [each.device for each in reports.heartbeats])
    meant = f"; did you mean {printable(near)}?" if near else ""
    return f"{cannot}: {printable(source)} has no heartbeat of it{meant}"


def _of_folder(source: str) -> Reports:
    from agent.fleet.folder import HeartbeatFolder, devices_of_captures, devices_of_folders

    directory = Path(source.removeprefix("dir:")).absolute()
    disk = Disk(inside=directory)
    try:
        if not directory.is_dir():
            raise NotADirectoryError(0, "it is no folder")
        found = HeartbeatFolder(directory, disk).read(SystemClock().wall())
        captured = {**devices_of_folders(directory), **devices_of_captures(directory, disk)}
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {printable(source)}: {error.strerror}; name the folder of "
            "`receive --dir`, or of AGENT_UPLOAD_URL=dir:FOLDER"
        ) from error
    return _reports(found, captured)


def _of_bucket(source: str, progress: Progress | None) -> Reports:
    from agent.fleet.bucket import devices_of_bucket, heartbeats_in, opened

    bucket = opened(source)
    found = heartbeats_in(bucket, progress)
    reporting = [each.device for each in found if isinstance(each, Heartbeat)]
    try:
        captured = devices_of_bucket(bucket, reporting)
    except AgentError as error:  # the devices with a heartbeat are shown all the same
        captured = {}
        found.append(Problem("folders of captures", printable(error), is_heartbeat=False))
    return _reports(found, captured)


def _reports(found: list[Heartbeat | Problem], captured: dict[str, float | None]) -> Reports:
    return Reports(
        tuple(each for each in found if isinstance(each, Heartbeat)),
        captured,
        tuple(each for each in found if isinstance(each, Problem)),
    )
