"""The class list of a dataset folder, as `data.yaml` holds it."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from agent.dataset import yolo
from agent.dataset.other_yaml import read_yaml
from agent.dataset.yolo import LabelForm
from agent.errors import DamagedDataset
from agent.files import Disk, read_regular_file
from agent.printable import printable

_LARGEST = 10_000_000  # bytes of a data.yaml; ten thousand long names have 2 MB
_LOCK = ".data.yaml.lock"
_LOCK_WAIT_S = 10.0  # seconds that another device may need to write its names


class OtherTask(Exception):
    """The labels are of another task than the dataset; store them in its part for that task."""

    def __init__(self, form: LabelForm) -> None:
        super().__init__(form)
        self.form = form


class ClassList:
    """The classes of the dataset in `directory`, and the form of its labels. Thread-safe.

    Other devices may write here too, as on a share. So the names are read each time, and read and
    written under one lock: two writers must not give one number to two labels.

    `only`: the form that the folder is for.
    """

    def __init__(self, directory: Path, disk: Disk, only: LabelForm | None) -> None:
        self._directory = directory
        self._path = directory / "data.yaml"
        self._disk = disk
        self._only = only
        self._lock = Lock()

    def extend(self, mine: LabelForm, extended: Callable[[list[str]], list[str]]) -> LabelForm:
        """Store what `extended` makes of the class list, durably; return the form of the labels.

        Raises `OtherTask` if the dataset has another form than `mine`, `DamagedDataset`, `OSError`.
        """
        self._disk.make_directory(self._directory)
        with self._lock, self._disk.locked(self._directory / _LOCK, seconds=_LOCK_WAIT_S):
            names, stored = self.read()
            form = stored or self._only or mine
            if not form.takes(mine):
                raise OtherTask(mine)
            form = LabelForm(form.task, form.keypoints or mine.keypoints)
            new = extended(list(names))
            if new != names or form != stored:
                self._require_own(new[len(names) :])
                self._disk.write_durably(self._path, yolo.data_yaml(new, form).encode())
            return form

    def _require_own(self, missing: list[str]) -> None:
        """Raise `DamagedDataset` if another program wrote the file: it is read, never replaced."""
        try:
            text = self._disk.read(self._path).decode()
        except FileNotFoundError:
            return
        if not _is_as_written(text):
            lacks = ", ".join(map(printable, missing[:5])) or "the task of its labels"
            raise DamagedDataset(
                f"cannot store captures in {self._directory}: data.yaml is not as written here, so "
                f"it is not changed, and it lacks {lacks}; add that, or move the folder away"
            )

    def read(self) -> tuple[list[str], LabelForm | None]:
        """Return the classes of earlier runs, and the form of the labels if they are stored.

        Raises `DamagedDataset` if `data.yaml` is missing although there are labels, or not ours.
        """
        try:
            text = self._disk.read(self._path).decode()
            return _parsed(text)
        except FileNotFoundError:
            if any(file.size for file in self._disk.files(self._directory / "labels")):
                raise DamagedDataset(
                    f"cannot store captures in {self._directory}: data.yaml is missing, so the "
                    "numbers in labels/ mean nothing; bring it back, or move the folder away"
                ) from None
            return [], None
        except ValueError as error:
            raise DamagedDataset(
                f"cannot store captures in {self._directory}: data.yaml is not as written here: "
                f"{error}; bring it back, or move the folder away"
            ) from error


def _is_as_written(text: str) -> bool:
    try:
        yolo.names_of(text)
    except ValueError:
        return False
    return True


def stored_classes(folder: Path) -> tuple[list[str], LabelForm]:
    """Return the classes of a dataset folder that is only read, and the form of its labels.

    Raises `OSError`, such as `FileNotFoundError`, and `ValueError` for a `data.yaml` that is not as
    written here.
    """
    return _parsed(read_regular_file(folder / "data.yaml", _LARGEST).decode())


def _parsed(text: str) -> tuple[list[str], LabelForm]:
    """Return the classes and the form of the labels; raise `ValueError` if they are not clear.

    What the agent wrote is read strictly: it was damaged if it is not as written. Other programs
    write YAML of any kind.
    """
    try:
        return yolo.names_of(text), yolo.form_of(text)
    except ValueError:
        if yolo.is_own(text):
            raise
        return read_yaml(text)
