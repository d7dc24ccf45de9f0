"""A folder of captures that training tools can read without conversion.

images/<id>.jpg     the image, the bytes as captured
labels/<id>.txt     objects at or above their threshold, in the form that trainers of the model's
                    task read (`agent.dataset.yolo`); empty where there is none
classes/<label>/<id>.jpg    of a classifier: the image again under the label it was given, where it
                    was sure enough, as trainers of classifiers open a dataset
unclassified/<id>.jpg       where it was not
clips/<id>/         the frames around it, where the capture has a clip (`agent.dataset.clip_files`)
records/<id>.json   the record, unchanged, written last: a capture is stored when this is
devices/<id>.json   what each device last said of itself (`agent.dataset.devices`)
verdicts.jsonl      what people said of captures of any task (`agent.dataset.verdicts`)
data.yaml           where the images are, the task, and the name of each class, in the model's own
                    order
<task>/             the same again for captures of another task

A trainer reads one task from a folder, and takes an image without labels for an empty one. So the
first capture of a detector decides the task, and captures of another one, such as those of the
pose model of a second device, become a dataset of their own in `segment/`, `pose-17/`, `obb/` or
`detect/`.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID

from agent.dataset import clip_files, yolo
from agent.dataset.arrival import checked_id, parsed, positive_pixels
from agent.dataset.captures import DatasetCapture
from agent.dataset.class_list import ClassList, OtherTask
from agent.dataset.classes import class_folder, number_of, with_classes_of, with_names
from agent.dataset.clip_files import ClipForm
from agent.dataset.devices import DeviceFolder
from agent.dataset.records import part_folders
from agent.dataset.reviews import Objects
from agent.dataset.verdicts import VerdictLog
from agent.dataset.yolo import LabelForm, form_of_record
from agent.errors import DamagedDataset, UnfitCapture
from agent.files import Disk
from agent.record.summary import Annotate, class_of, confident

_LONGEST_NAME = 255  # bytes
_LOCKS = 64  # captures with the same lock wait for each other; the same capture always does

_WriteClip = Callable[[Disk, Path], None]
"""Writes the files of a clip into a folder."""


class Dataset:
    """The dataset in `directory`; several processes may write it, with locks also over a network.

    A power cut leaves each capture stored or not; one that was not whole is made so by storing
    it again.

    `only`: the folder is for captures of this task. `clips`: what a clip becomes.
    """

    def __init__(
        self,
        directory: Path,
        disk: Disk,
        *,
        only: LabelForm | None = None,
        clips: ClipForm = ClipForm.FRAMES,
    ) -> None:
        self.directory = directory.absolute()
        self._form = clips
        self._only = only
        self._part_by_form: dict[LabelForm, Dataset] = {}
        self._disk = disk
        self._images = self.directory / "images"
        self._labels = self.directory / "labels"
        self._records = self.directory / "records"
        self._clips = self.directory / "clips"
        self._verdicts = VerdictLog(self.directory, disk)
        self.devices = DeviceFolder(self.directory, disk)
        """What devices said of themselves."""
        self._locks = tuple(Lock() for _ in range(_LOCKS))
        self._parts_lock = Lock()
        self._classes = ClassList(self.directory, disk, only)

    def count(self) -> int:
        """Return the number of stored captures, of all tasks."""
        found = sum(file.name.endswith(".json") for file in self._disk.files(self._records))
        return found if self._only else found + sum(part.count() for part in self.parts())

    def parts(self) -> "list[Dataset]":
        """Return the datasets inside of this one that hold the captures of other tasks."""
        forms = [LabelForm.of_folder(path.name) for path in part_folders(self.directory)]
        return [self._part(form) for form in forms if form is not None]

    def store(self, record_json: bytes, image: bytes, clip: bytes = b"") -> bool:
        """Store one capture; return True if it is new, False if it was stored with the same image.

        `clip` is the clip that the record describes; empty for none.

        Either way it survives a power cut once this returns, and so do the verdicts in its record.
        Several threads may call it.

        Raises:
            UnfitCapture: id, checksum, lengths, clip, boxes or verdicts do not fit, or another
                image or clip has the id.
            DamagedDataset: `data.yaml` is missing or not ours, so classes have no number.
            OSError: the disk refuses; store the capture again.
        """
        record = parsed(record_json)
        identity = checked_id(record, image)
        clip_files.require_clip(record, clip)
        write = None
        if clip:
            write = partial(clip_files.write_clip, record=record, clip=clip, form=self._form)
        return self._store_all(record, identity, record_json, image, write)

    def store_status(self, device: str, status: bytes) -> None:
        """Store what a device says of itself, durably. Raises `OSError`."""
        self.devices.put(device, status)

    def take(self, record_json: bytes, image: bytes, clip_folder: Path | None = None) -> bool:
        """Store one capture of another dataset, as `store` does.

        `clip_folder` has the files of its clip, which are copied as they are; None for no clip.
        Raises `ValueError` too, if they are not a whole clip.
        """
        record = parsed(record_json)
        identity = checked_id(record, image)
        write = None if clip_folder is None else partial(clip_files.copy_clip, source=clip_folder)
        return self._store_all(record, identity, record_json, image, write)

    def take_names(self, names: Sequence[str], form: LabelForm) -> None:
        """Extend the class list for labels of this form by that of another dataset, durably.

        Only where both agree on the classes that they share: otherwise the numbers here stay, and
        a label that is missing here gets one when a capture has it. Raises as `store` does.
        """
        try:
            self._classes.extend(form, lambda known: with_names(known, names))
        except OtherTask as other:
            self._part(other.form).take_names(names, form)

    def names(self, form: LabelForm) -> list[str]:
        """Return the class list for labels of this form; raise `DamagedDataset` if it is lost."""
        found, stored = self._classes.read()
        if (stored or self._only or form).takes(form):
            return found
        return [] if self._only is not None else self._part(form).names(form)

    def _store_all(
        self,
        record: Mapping[str, Any],
        identity: str,
        record_json: bytes,
        image: bytes,
        write_clip: _WriteClip | None,
    ) -> bool:
        is_new = self._store(record, identity, record_json, image, write_clip)
        # Also of a capture that was there: the process may have ended before they were written.
        self._verdicts.add(record)
        return is_new

    def add_verdicts(self, lines: Sequence[str]) -> int:
        """Add verdicts that came without a capture, as `line_text` returns them, durably.

        Returns how many are new. Raises `OSError`.
        """
        return self._verdicts.add_lines([line.encode() for line in lines])

    def relabel(self, capture: DatasetCapture, objects: Objects) -> None:
        """Replace the labels of a stored capture by known objects or classes, durably.

        Raises `DamagedDataset` where `data.yaml` is missing or not ours, `ValueError` for a box
        that is not valid, `OSError` if the disk refuses.
        """
        if capture.folder.absolute() != self.directory:
            form = LabelForm.of_folder(capture.folder.name)
            if self._only is not None or form is None:
                raise DamagedDataset(f"cannot relabel {capture.id}: it is in another dataset")
            self._part(form).relabel(capture, objects)
            return
        with self._locks[UUID(capture.id).int % _LOCKS]:
            if objects.classes is not None:
                self._name_class(capture.id, objects.classes)
            elif objects.objects is not None:
                image = capture.record["image"]
                numbers, form = self._numbered(capture.record, objects.objects)
                text = yolo.rows(
                    objects.objects,
                    numbers,
                    width=image["width"],
                    height=image["height"],
                    form=form,
                )
                self._replace_labels(self._labels / f"{capture.id}.txt", text.encode())

    def _replace_labels(self, path: Path, text: bytes) -> None:
        """Write a label file, unless it is as it should be: folders with many are opened often."""
        with contextlib.suppress(FileNotFoundError):
            if self._disk.read(path) == text:
                self._disk.sync_name(path)
                return
        self._disk.write_durably(path, text)

    def _name_class(self, identity: str, classes: Sequence[str]) -> None:
        """Put the image of a classifier's capture under the first of its classes alone."""
        wanted = self.directory / _folder_of_class(identity, classes[0] if classes else None)
        self._disk.make_directory(wanted)
        self._disk.link(self._images / f"{identity}.jpg", wanted / f"{identity}.jpg")
        self._disk.sync_name(wanted / f"{identity}.jpg")
        classed = self.directory / "classes"
        folders = list(classed.iterdir()) if classed.is_dir() else []
        for folder in (*folders, self.directory / "unclassified"):
            if folder != wanted and (folder / f"{identity}.jpg").exists():
                self._disk.remove(folder / f"{identity}.jpg")
                self._disk.sync_directory(folder)

    def _store(
        self,
        record: Mapping[str, Any],
        identity: str,
        record_json: bytes,
        image: bytes,
        write_clip: _WriteClip | None,
    ) -> bool:
        """Store a checked capture without its verdicts; see `store`."""
        clip = self._clips / identity
        with self._locks[UUID(identity).int % _LOCKS]:
            if self._is_stored(identity, record):
                if write_clip is not None and not clip_files.is_written(self._disk, clip):
                    write_clip(self._disk, clip)
                # The process may have ended between the file and the sync of its name.
                self._disk.sync_name(self._records / f"{identity}.json")
                return False
            try:
                labels, named = self._label_text(record), _class_folder(record)
            except OtherTask as other:
                if self._only is None:
                    part = self._part(other.form)
                    return part._store(  # noqa: SLF001
                        record, identity, record_json, image, write_clip
                    )
                raise DamagedDataset(
                    f"cannot store captures in {self.directory}: its data.yaml is of another task "
                    "than the folder's name; bring it back, or move the folder away"
                ) from None
            for folder in (self._images, self._labels, self._records):
                self._disk.make_directory(folder)
            self._disk.write_durably(self._images / f"{identity}.jpg", image)
            if labels is not None:
                self._disk.write_durably(self._labels / f"{identity}.txt", labels.encode())
            if named is not None:
                folder = self.directory / named
                self._disk.make_directory(folder)
                self._disk.link(self._images / f"{identity}.jpg", folder / f"{identity}.jpg")
                self._disk.sync_name(folder / f"{identity}.jpg")
            if write_clip is not None:
                write_clip(self._disk, clip)
            self._disk.write_durably(self._records / f"{identity}.json", record_json)
        return True

    def _part(self, form: LabelForm) -> "Dataset":
        with self._parts_lock:
            made = Dataset(self.directory / form.folder, self._disk, only=form, clips=self._form)
            return self._part_by_form.setdefault(form, made)

    def _is_stored(self, identity: str, record: Mapping[str, Any]) -> bool:
        try:
            stored = json.loads(self._disk.read(self._records / f"{identity}.json"))
            theirs = stored["image"]["sha256"]
            their_clip = (stored.get("clip") or {}).get("sha256")
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return False
        if theirs != record["image"]["sha256"]:
            raise UnfitCapture(f"cannot store {identity}: another image has this id")
        if their_clip != (record.get("clip") or {}).get("sha256"):
            raise UnfitCapture(f"cannot store {identity}: another clip has this id")
        return True

    def _label_text(self, record: Mapping[str, Any]) -> str | None:
        """Return the label file of a detector's record; None for a classifier's, without boxes."""
        if "detections" not in record:
            return None
        try:
            chosen = confident(record)
            width, height = (
                positive_pixels(record["image"].get(side)) for side in ("width", "height")
            )
            # Once with any classes, so that a bad box leaves no name behind.
            yolo.rows(chosen, [0] * len(chosen), width=width, height=height)
        except ValueError as error:
            raise UnfitCapture(f"cannot store {record['id']}: {error}") from error
        numbers, form = self._numbered(record, chosen)
        return yolo.rows(chosen, numbers, width=width, height=height, form=form)

    def _numbered(
        self, record: Mapping[str, Any], detections: Sequence[Mapping[str, Any]]
    ) -> tuple[list[int], LabelForm]:
        """Return the class of each detection, after the names of all classes are stored durably.

        The form of the rows comes with them. Raises `OtherTask` if the dataset has another.
        """
        numbers: list[int] = []

        def extended(known: list[str]) -> list[str]:
            names = with_classes_of(known, record)
            numbers.extend(number_of(names, detection) for detection in detections)
            return names

        return numbers, self._classes.extend(form_of_record(record), extended)


def _class_folder(record: Mapping[str, Any]) -> Path | None:
    """Return the class folder of a classifier's image; None for a detector's."""
    if "classes" not in record:
        return None
    try:
        best = class_of(record, Annotate.THRESHOLD)
    except ValueError as error:
        raise UnfitCapture(f"cannot store {record['id']}: {error}") from error
    return _folder_of_class(record["id"], None if best is None else best.label)


def _folder_of_class(identity: str, label: str | None) -> Path:
    """Return where the image of a class goes; None: no class was sure enough."""
    if label is None:
        return Path("unclassified")
    name = class_folder(label)
    if len(name.encode()) > _LONGEST_NAME:
        raise UnfitCapture(f"cannot store {identity}: its label is too long for a folder")
    return Path("classes") / name
