"""A folder of captures that training tools can read without conversion.

images/<id>.jpg     the image, the bytes as captured
labels/<id>.txt     boxes at or above their threshold; empty where there is none
classes/<label>/<id>.jpg    of a classifier: the image again under the label it was given, where it
                    was sure enough, as trainers of classifiers open a dataset
unclassified/<id>.jpg       where it was not
records/<id>.json   the record, unchanged, written last: a capture is stored when this is
data.yaml           where the images are, and the name of each class, in the model's own order
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID

from agent.dataset import yolo
from agent.dataset.classes import number_of, with_classes_of
from agent.errors import DamagedDataset, UnfitCapture
from agent.files import Disk
from agent.record.summary import Annotate, class_of, confident

# What no file system, or not each, takes in a name; and what would lead elsewhere.
_UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|%]|^\.|[. ]$')
_NAMES_LOCK = ".data.yaml.lock"
_LOCK_WAIT_S = 10.0  # seconds that another device may need to write its names
_LONGEST_NAME = 255  # bytes
_LOCKS = 64  # captures with the same lock wait for each other; the same capture always does


class Dataset:
    """The dataset in `directory`; several processes may write it, with locks also over a network.

    A power cut leaves each capture stored or not; one that was not whole is made so by storing
    it again.
    """

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.directory = directory.absolute()
        self._disk = disk
        self._images = self.directory / "images"
        self._labels = self.directory / "labels"
        self._records = self.directory / "records"
        self._locks = tuple(Lock() for _ in range(_LOCKS))
        self._names_lock = Lock()

    def count(self) -> int:
        """Return the number of stored captures."""
        return sum(file.name.endswith(".json") for file in self._disk.files(self._records))

    def store(self, record_json: bytes, image: bytes) -> bool:
        """Store one capture; return True if it is new, False if it was stored with the same image.

        Either way it survives a power cut once this returns. Several threads may call it.

        Raises:
            UnfitCapture: id, checksum, lengths or boxes do not fit, or another image has
                the id.
            DamagedDataset: `data.yaml` is missing or not ours, so classes have no number.
            OSError: the disk refuses; the capture is not stored.
        """
        record = _parsed(record_json)
        identity = _checked(record, image)
        with self._locks[UUID(identity).int % _LOCKS]:
            if self._is_stored(identity, record["image"]["sha256"]):
                # The process may have ended between the file and the sync of its name.
                self._disk.sync_name(self._records / f"{identity}.json")
                return False
            labels, named = self._label_text(record), _class_folder(record)
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
            self._disk.write_durably(self._records / f"{identity}.json", record_json)
        return True

    def _is_stored(self, identity: str, sha256: str) -> bool:
        try:
            stored = json.loads(self._disk.read(self._records / f"{identity}.json"))
            theirs = stored["image"]["sha256"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False
        if theirs != sha256:
            raise UnfitCapture(f"cannot store {identity}: another image has this id")
        return True

    def _label_text(self, record: Mapping[str, Any]) -> str | None:
        """Return the label file of a detector's record; None for a classifier's, without boxes."""
        if "detections" not in record:
            return None
        try:
            chosen = confident(record)
            width, height = (_positive(record["image"].get(side)) for side in ("width", "height"))
            # Once with any classes, so that a bad box leaves no name behind.
            yolo.rows(chosen, [0] * len(chosen), width=width, height=height)
        except ValueError as error:
            raise UnfitCapture(f"cannot store {record['id']}: {error}") from error
        numbers = self._numbered(record, chosen)
        return yolo.rows(chosen, numbers, width=width, height=height)

    def _numbered(
        self, record: Mapping[str, Any], detections: Sequence[Mapping[str, Any]]
    ) -> list[int]:
        """Return the class of each detection, after the names of all classes are stored durably."""
        path = self.directory / "data.yaml"
        self._disk.make_directory(self.directory)
        # Other devices may write here too, as on a share. So the names are read each time, and read
        # and written under one lock: two writers must not give one number to two labels.
        with (
            self._names_lock,
            self._disk.locked(self.directory / _NAMES_LOCK, seconds=_LOCK_WAIT_S),
        ):
            names, is_written = self._read_names(path)
            extended = with_classes_of(names, record)
            numbers = [number_of(extended, detection) for detection in detections]
            if extended != names or not is_written:
                self._disk.write_durably(path, yolo.data_yaml(extended).encode())
            return numbers

    def _read_names(self, path: Path) -> tuple[list[str], bool]:
        """Return the classes of earlier runs, and whether they are stored."""
        try:
            return yolo.names_of(self._disk.read(path).decode()), True
        except FileNotFoundError:
            if any(file.size for file in self._disk.files(self._labels)):
                raise DamagedDataset(
                    f"cannot store captures in {self.directory}: data.yaml is missing, so the "
                    "numbers in labels/ mean nothing; bring it back, or move the folder away"
                ) from None
            return [], False
        except ValueError as error:
            raise DamagedDataset(
                f"cannot store captures in {self.directory}: data.yaml is not as written here: "
                f"{error}; bring it back, or move the folder away"
            ) from error


def _class_folder(record: Mapping[str, Any]) -> Path | None:
    """Return the class folder of a classifier's image; None for a detector's."""
    if "classes" not in record:
        return None
    try:
        best = class_of(record, Annotate.THRESHOLD)
    except ValueError as error:
        raise UnfitCapture(f"cannot store {record['id']}: {error}") from error
    if best is None:
        return Path("unclassified")
    name = _UNFIT.sub(lambda found: f"%{ord(found[0]):02X}", best.label) or "%"
    if len(name.encode()) > _LONGEST_NAME:
        raise UnfitCapture(f"cannot store {record['id']}: its label is too long for a folder")
    return Path("classes") / name


def _parsed(record_json: bytes) -> Mapping[str, Any]:
    try:
        record = json.loads(record_json)
    except (ValueError, RecursionError) as error:
        raise UnfitCapture("cannot store the capture: its record is no JSON") from error
    if not isinstance(record, dict) or not isinstance(record.get("image"), dict):
        raise UnfitCapture("cannot store the capture: its record has no `image`")
    return record


def _checked(record: Mapping[str, Any], image: bytes) -> str:
    """Return the id of a consistent capture, safe to use as a file name."""
    identity = record.get("id")
    try:
        is_canonical = isinstance(identity, str) and str(UUID(identity)) == identity
    except ValueError:
        is_canonical = False
    if not isinstance(identity, str) or not is_canonical:
        raise UnfitCapture("cannot store the capture: its `id` is no UUID in small letters")
    about = record["image"]
    if about.get("sha256") != hashlib.sha256(image).hexdigest():
        raise UnfitCapture(f"cannot store {identity}: the image has another sha256")
    if about.get("bytes", len(image)) != len(image):
        raise UnfitCapture(f"cannot store {identity}: the image has another length")
    if about.get("media_type", "image/jpeg") != "image/jpeg":
        raise UnfitCapture(f"cannot store {identity}: the image must be image/jpeg")
    return identity


def _positive(pixels: object) -> int:
    if isinstance(pixels, bool) or not isinstance(pixels, int) or pixels <= 0:
        raise ValueError("`image.width` and `image.height` must be positive")
    return pixels
