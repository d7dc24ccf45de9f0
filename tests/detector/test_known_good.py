"""The copy of the known-good model is complete, whenever the power fails."""

import hashlib
import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from agent.detector.fallback.known_good import (
    MANIFEST,
    KnownGoodModel,
    KnownGoodStore,
    ModelParts,
    known_good_folder,
)
from agent.files import Disk
from tests.fakes.disk.power_cut import (
    DiskFault,
    NoFileSync,
    NoFolderSync,
    PowerCut,
    PowerCutDisk,
    keep_everything,
    keep_nothing,
)

STATE = Path("/state-of-a-test")
SPOOL = Path("/var/lib/capture-agent/spool")
SETTINGS = {"AGENT_MODEL": "m.onnx", "AGENT_MODEL_FORMAT": "auto"}
STEPS = 60  # more than the file operations of two calls of `keep`

MakeDisk = Callable[[], PowerCutDisk]


def parts(folder: Path, content: str, *, settings: dict[str, str] | None = None) -> ModelParts:
    """Write a model of two files that contain `content`."""
    (folder / "more").mkdir(parents=True, exist_ok=True)
    (folder / "m.onnx").write_text(content)
    (folder / "more" / "weights.bin").write_text(content * 1000)
    return ModelParts(
        model=folder / "m.onnx",
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        weight_files=[folder / "more" / "weights.bin"],
        description=json.dumps({"labels": [content]}),
        settings=settings or SETTINGS,
    )


def content_of(disk: PowerCutDisk) -> str | None:
    """Return the content of the copy; fail if it is not complete."""
    store = KnownGoodStore(STATE / "models", disk, spool=SPOOL, min_free=0)
    kept = store.look()
    if kept is None:
        return None
    path = store.verify(kept)
    assert path is not None
    content = disk.read(path).decode()
    assert disk.read(path.parent / "more" / "weights.bin").decode() == content * 1000
    assert json.loads(disk.read(path.with_suffix(".json"))) == {"labels": [content]}
    return content


def survives_power_cuts(make: MakeDisk, folder: Path) -> None:
    """Check that after a power cut at any step, the previous or the new model is complete."""
    first, second = parts(folder / "1", "one"), parts(folder / "2", "two")
    third = parts(folder / "3", "three")
    for step, fate in product(range(1, STEPS), (keep_nothing, keep_everything)):
        disk = make()
        store = KnownGoodStore(STATE / "models", disk, spool=SPOOL, min_free=0)
        store.keep(first)
        disk.inject(DiskFault(step))
        done = "one"
        try:
            store.keep(second)
            done = "two"
            store.keep(third)
            done = "three"
        except PowerCut:
            pass
        disk.cut_power(fate)
        following = {"one": "two", "two": "three", "three": "three"}
        assert content_of(disk) in (done, following[done]), (step, fate)
        store.keep(third)  # the files left by the power cut cause no error
        assert content_of(disk) == "three"


def survives_a_first_cut(make: MakeDisk, folder: Path) -> None:
    """Check that there is no copy or a complete first one."""
    for step, fate in product(range(1, STEPS), (keep_nothing, keep_everything)):
        disk = make()
        disk.inject(DiskFault(step))
        done = None
        try:
            KnownGoodStore(STATE / "models", disk, spool=SPOOL, min_free=0).keep(
                parts(folder, "one")
            )
            done = "one"
        except PowerCut:
            pass
        disk.cut_power(fate)
        assert content_of(disk) in (done, "one")


class SlotsNeverSynced(NoFolderSync):
    unsynced = frozenset({"a", "b", "more"})


class OneSlot(PowerCutDisk):
    """Planted bug: the new copy overwrites the previous one."""

    def copy(self, source: Path, destination: Path) -> str:
        there = Path(str(destination).replace("/b/", "/a/"))
        super().copy(source, destination)
        return super().copy(source, there)


@pytest.mark.parametrize("proof", [survives_power_cuts, survives_a_first_cut])
def test_the_known_good_model_survives(
    proof: Callable[[MakeDisk, Path], None], tmp_path: Path
) -> None:
    proof(lambda: PowerCutDisk(STATE), tmp_path)


@pytest.mark.parametrize("bug", [NoFileSync, SlotsNeverSynced, OneSlot])
def test_the_proof_finds_planted_bugs(bug: type[PowerCutDisk], tmp_path: Path) -> None:
    with pytest.raises((AssertionError, FileNotFoundError)):
        survives_power_cuts(lambda: bug(STATE), tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> KnownGoodStore:
    return KnownGoodStore(tmp_path / "models", Disk(), spool=SPOOL, min_free=0)


def look(store: KnownGoodStore) -> KnownGoodModel:
    kept = store.look()
    assert kept is not None
    return kept


def test_a_model_is_copied_only_if_it_changed(store: KnownGoodStore, tmp_path: Path) -> None:
    one = parts(tmp_path / "1", "one")

    assert store.keep(one)
    assert not store.keep(one)
    assert look(store).slot == "a"
    assert store.keep(parts(tmp_path / "1", "one", settings={"AGENT_MODEL": "other"}))
    assert look(store).slot == "a"
    assert look(store).settings == {"AGENT_MODEL": "other"}
    assert store.keep(parts(tmp_path / "2", "two"))
    assert look(store).slot == "b"
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["b", MANIFEST]


def test_a_copy_with_a_missing_file_is_made_again(store: KnownGoodStore, tmp_path: Path) -> None:
    one = parts(tmp_path / "1", "one")
    store.keep(one)
    (tmp_path / "models" / "a" / "m.onnx").unlink()

    assert store.verify(look(store)) is None
    assert store.keep(one)
    assert store.verify(look(store)) is not None


def test_a_damaged_copy_is_detected(store: KnownGoodStore, tmp_path: Path) -> None:
    store.keep(parts(tmp_path / "1", "one"))
    (tmp_path / "models" / "a" / "more" / "weights.bin").write_text("eno" * 1000)

    assert store.verify(look(store)) is None


def test_a_model_that_changed_since_loading_is_not_copied(
    store: KnownGoodStore, tmp_path: Path
) -> None:
    store.keep(parts(tmp_path / "1", "one"))
    two = parts(tmp_path / "2", "two")
    two.model.write_text("<html>")

    with pytest.raises(OSError, match="changed while it was copied"):
        store.keep(two)
    path = store.verify(look(store))
    assert path is not None
    assert path.read_text() == "one"


def test_a_copy_is_refused_if_too_little_space_stays_free(tmp_path: Path) -> None:
    store = KnownGoodStore(tmp_path / "models", Disk(), spool=SPOOL, min_free=1 << 60)

    with pytest.raises(OSError, match="AGENT_SPOOL_MIN_FREE"):
        store.keep(parts(tmp_path / "1", "one"))
    assert store.look() is None


def test_forget_deletes_all_files(store: KnownGoodStore, tmp_path: Path) -> None:
    store.forget()
    store.keep(parts(tmp_path / "1", "one"))
    store.forget()

    assert store.look() is None
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"slot": "../x", "model": "m", "files": {"m": "0"}, "settings": {}}',
        '{"slot": "a", "model": "m", "files": {}, "settings": {}}',
    ],
)
def test_an_invalid_manifest_counts_as_no_copy(
    text: str, store: KnownGoodStore, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / MANIFEST).write_text(text)

    assert store.look() is None


def test_spools_with_the_same_name_have_folders_of_their_own(tmp_path: Path) -> None:
    service = known_good_folder(tmp_path, Path("/var/lib/capture-agent/spool"))
    demo = known_good_folder(tmp_path, Path("/home/user/capture-agent-demo/spool"))

    assert service != demo
    assert service.parent == demo.parent == tmp_path / "models"


def test_a_store_deletes_and_replaces_nothing_that_another_spool_owns(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    KnownGoodStore(folder, Disk(), spool=SPOOL, min_free=0).keep(parts(tmp_path / "1", "one"))
    other = KnownGoodStore(folder, Disk(), spool=Path("/other/spool"), min_free=0)

    other.forget()
    with pytest.raises(OSError, match=f"belongs to the spool {SPOOL}"):
        other.keep(parts(tmp_path / "2", "two"))

    assert other.look() is None
    assert look(KnownGoodStore(folder, Disk(), spool=SPOOL, min_free=0)).model == "m.onnx"
