"""Dataset folders, and the endpoint that fills one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agent.files import Disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.dataset.clip_files import ClipForm
    from agent.dataset.folder import Dataset
    from agent.receiver.receiver import Receiver


def dataset_at(directory: Path, *, clips: ClipForm | None = None) -> Dataset:
    """The dataset folder at a path, private to this user; clips become frames, or as `clips`."""
    from agent.dataset.clip_files import ClipForm
    from agent.dataset.folder import Dataset

    directory = directory.absolute()
    return Dataset(directory, Disk(inside=directory), clips=clips or ClipForm.FRAMES)


def shared_dataset_at(directory: Path, *, clips: ClipForm | None = None) -> Dataset:
    """The dataset folder at a path, for those who may read the folder that it lies in.

    It leaves the device, on a stick or a share, and the person who opens it there is not the user
    of the service.
    """
    from agent.dataset.clip_files import ClipForm
    from agent.dataset.folder import Dataset

    directory = directory.absolute()
    disk = Disk(inside=directory, is_shared=True)
    return Dataset(directory, disk, clips=clips or ClipForm.FRAMES)


def receiver_of(
    dataset: Dataset,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    write: Callable[[str], object] | None = None,
) -> Receiver:
    """An endpoint on `host` and `port` that stores into `dataset`; raises `OSError`.

    `write` gets a line for each capture and refusal; it must not block.
    """
    from agent.receiver.receiver import Receiver
    from agent.receiver.report import ArrivalReport

    report = ArrivalReport(write) if write is not None else None
    return Receiver(
        dataset,
        host=host,
        port=port,
        token=token,
        on_capture=report.arrived if report else None,
        on_refusal=report.refused if report else None,
    )
