"""With which model a start begins, and how one is changed while frames keep coming."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from agent.domain import ModelInfo, Pixels, Prediction, Task
from agent.errors import ConfigurationError, ModelUnusable
from agent.events import EVENTS
from agent.ports import LoadedModel
from agent.runtime.load_heartbeat import LoadHeartbeat
from agent.runtime.model import (
    MANY_FAILED,
    TRIAL_FRAMES,
    CurrentModel,
    ModelChange,
    first_model,
    synthetic_image,
)
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.runtime.runtime_builders import MODEL, Says

IMAGE = np.zeros((4, 6, 3), np.uint8)
OTHER = replace(MODEL, name="other", sha256="1" * 64)
OLD = replace(MODEL, name="old", sha256="2" * 64)
NO_MODEL = ModelUnusable("cannot load the model m.onnx: it is a text")

Load = Callable[[], LoadedModel]


class Fixed:
    """A model with one prediction, invalid for the input that `odd` names: "greys" or "frames".

    With a `failure` its runs fail instead.
    """

    decided = "by the test"
    object_features = "no object features: a test"
    description = "by the test"
    batch_waste: str | None = None

    def __init__(self, info: ModelInfo, *, odd: str = "never", failure: str = "") -> None:
        self.info = info
        self.odd = odd
        self.failure = failure

    def detect(self, pixels: Pixels) -> Prediction:
        is_ours = np.array_equal(pixels, synthetic_image())
        invalid = self.odd == ("greys" if is_ours else "frames")
        return Prediction(self.info, invalid=invalid, failure=self.failure if invalid else "")


class MemoryModelStore:
    """A store in memory."""

    def __init__(self, kept: LoadedModel | None = None) -> None:
        self.kept = kept

    def keep(self, model: LoadedModel) -> None:
        self.kept = model

    def is_available(self) -> bool:
        return self.kept is not None

    def fallback(self, failure: ModelUnusable) -> LoadedModel:
        if self.kept is None:
            raise failure
        return self.kept


def broken() -> LoadedModel:
    raise NO_MODEL


def misconfigured() -> LoadedModel:
    raise ConfigurationError("AGENT_PROVIDERS: this onnxruntime has no CUDA")


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.runtime.requested.ASKED_S", 0.01)


def change_of(
    current: CurrentModel, load: Load, log: Recorder, store: MemoryModelStore
) -> ModelChange:
    heartbeat = LoadHeartbeat(60, notifier=Says(), clock=ManualClock())
    return ModelChange(current, load, store, heartbeat=heartbeat, log=log.log)


# The start


@pytest.mark.parametrize(
    ("load", "words"),
    [(broken, "it is a text"), (lambda: Fixed(OTHER, odd="greys"), "contains NaN or Inf")],
)
def test_a_start_with_a_bad_new_file_runs_the_known_good_model_and_says_so(
    load: Load, words: str, log: Recorder
) -> None:
    current = first_model(load, MemoryModelStore(Fixed(OLD)), log=log.log)

    assert current.info == OLD
    assert words in str(current.fallback_reason)
    line = log.one("model reload failed")
    assert (line["model"], line["sha256"], line["log_level"]) == ("old", "2" * 12, "error")
    assert words in line["error"]
    assert "model reload failed" in EVENTS


def test_a_start_without_a_known_good_model_fails_with_the_cause(log: Recorder) -> None:
    with pytest.raises(ModelUnusable, match="it is a text"):
        first_model(broken, MemoryModelStore(), log=log.log)
    assert log.events == []


def test_a_wrong_setting_is_no_matter_of_the_model(log: Recorder) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_PROVIDERS"):
        first_model(misconfigured, MemoryModelStore(Fixed(OLD)), log=log.log)


@pytest.mark.parametrize("store", [MemoryModelStore(), MemoryModelStore(Fixed(OLD, odd="greys"))])
def test_an_unsound_model_runs_where_there_is_no_sound_one(
    store: MemoryModelStore, log: Recorder
) -> None:
    current = first_model(lambda: Fixed(OTHER, odd="greys"), store, log=log.log)

    assert current.info == OTHER
    assert current.fallback_reason is None
    assert log.events == []


@pytest.mark.parametrize(("kept", "frames"), [(None, 1), (OLD, TRIAL_FRAMES)])
def test_a_model_is_kept_once_its_trial_is_over(
    log: Recorder, kept: ModelInfo | None, frames: int
) -> None:
    store = MemoryModelStore(Fixed(kept) if kept else None)
    before = store.kept
    current = first_model(lambda: Fixed(OTHER), store, log=log.log)
    change = change_of(current, broken, log, store)

    change.step()
    for _ in range(frames):
        assert store.kept is before
        current.detect(IMAGE)
        change.step()

    assert store.kept is not None
    assert store.kept.info == OTHER


def test_a_run_that_fails_during_the_trial_brings_the_known_good_model_back(log: Recorder) -> None:
    store = MemoryModelStore(Fixed(OLD))
    model = Fixed(OTHER, failure="NMS found nothing")
    current = first_model(lambda: model, store, log=log.log)
    change = change_of(current, broken, log, store)

    current.detect(IMAGE)
    change.step()
    assert current.info == OTHER
    model.odd = "frames"
    current.detect(IMAGE)
    model.odd = "never"
    current.detect(IMAGE)  # the step sees only this frame
    change.step()

    assert current.info == OLD
    assert "failed on a frame: NMS found nothing" in str(current.fallback_reason)
    assert "NMS found nothing" in log.one("model reload failed")["error"]


def test_many_failed_runs_in_a_row_bring_the_known_good_model_back(log: Recorder) -> None:
    model = Fixed(OTHER, failure="out of memory")
    store = MemoryModelStore()
    current = first_model(lambda: model, store, log=log.log)
    change = change_of(current, broken, log, store)
    current.detect(IMAGE)
    change.step()
    store.kept = Fixed(OLD)

    model.odd = "frames"
    for _ in range(MANY_FAILED - 1):
        current.detect(IMAGE)
        change.step()
    assert current.info == OTHER
    current.detect(IMAGE)
    change.step()

    assert current.info == OLD
    assert f"failed on the last {MANY_FAILED} frames: out of memory" in str(current.fallback_reason)


def test_a_model_whose_runs_fail_goes_on_where_there_is_no_other(log: Recorder) -> None:
    model = Fixed(OTHER, odd="frames", failure="out of memory")
    store = MemoryModelStore(Fixed(OTHER))  # the known-good model is the same file
    current = first_model(lambda: model, store, log=log.log)
    change = change_of(current, broken, log, store)
    for _ in range(MANY_FAILED + 5):
        current.detect(IMAGE)
        change.step()

    assert current.detector is model
    assert log.one("model run failed")["log_level"] == "error"
    model.odd = "never"
    current.detect(IMAGE)
    change.step()
    model.odd = "frames"
    for _ in range(MANY_FAILED + 5):
        current.detect(IMAGE)
        change.step()

    assert current.detector is model
    assert log.events == ["model run failed"] * 2
    assert [line["failed"] for line in log.lines] == [MANY_FAILED] * 2


def test_a_model_whose_runs_fail_is_refused_on_a_start_and_on_a_reload(log: Recorder) -> None:
    bad = Fixed(OTHER, odd="greys", failure="NMS found nothing")
    assert first_model(lambda: bad, MemoryModelStore(Fixed(OLD)), log=log.log).info == OLD

    current = CurrentModel(Fixed(MODEL))
    current.detect(IMAGE)
    bad.odd = "frames"
    change = change_of(current, lambda: bad, log, MemoryModelStore())
    change.ask()
    change.step()

    assert current.info == MODEL
    assert "its run failed on the last frame: NMS found nothing" in str(current.fallback_reason)


def test_a_reload_of_the_same_file_changes_nothing(log: Recorder) -> None:
    same = Fixed(MODEL)
    current = CurrentModel(same)
    change = change_of(current, lambda: Fixed(MODEL), log, MemoryModelStore())

    change.ask()
    change.step()

    assert current.detector is same
    assert log.events == ["model unchanged"]
    assert log.one("model unchanged")["sha256"] == MODEL.sha256[:12]


def test_a_reload_of_the_same_file_with_other_preprocessing_is_a_change(log: Recorder) -> None:
    new = Fixed(MODEL)
    new.description = "another"
    current = CurrentModel(Fixed(MODEL))
    change = change_of(current, lambda: new, log, MemoryModelStore())

    change.ask()
    change.step()

    assert current.detector is new
    assert log.events == ["model changed"]


def test_a_model_that_fails_on_its_first_real_frame_gives_way_to_the_known_good_model(
    log: Recorder,
) -> None:
    store = MemoryModelStore(Fixed(OLD))
    current = first_model(lambda: Fixed(OTHER, odd="frames"), store, log=log.log)
    change = change_of(current, broken, log, store)

    current.detect(IMAGE)
    change.step()
    change.step()

    assert current.detect(IMAGE).model == OLD
    assert "first frame" in str(current.fallback_reason)
    assert log.one("model reload failed")["model"] == "old"


def test_a_model_without_an_alternative_may_prove_itself_later(log: Recorder) -> None:
    model, store = Fixed(OTHER, odd="frames"), MemoryModelStore()
    current = first_model(lambda: model, store, log=log.log)
    change = change_of(current, broken, log, store)

    current.detect(IMAGE)
    change.step()
    assert store.kept is None
    assert current.fallback_reason is None
    model.odd = "never"
    current.detect(IMAGE)
    change.step()

    assert store.kept is model


def test_the_known_good_model_that_runs_is_not_taken_for_the_file(log: Recorder) -> None:
    """Else a copy of the bad file could take its place."""
    good = Fixed(OLD)
    store = MemoryModelStore(good)
    current = first_model(broken, store, log=log.log)
    store.kept = None
    current.detect(IMAGE)
    change_of(current, broken, log, store).step()

    assert store.kept is None


# While frames come


def test_a_new_model_is_used_and_kept_once_somebody_asked(log: Recorder) -> None:
    store = MemoryModelStore()
    current = CurrentModel(Fixed(MODEL))
    change = change_of(current, lambda: Fixed(OTHER), log, store)

    change.step()
    assert current.detect(IMAGE).model == MODEL
    change.ask()
    change.ask()
    change.step()
    change.step()

    assert current.detect(IMAGE).model == OTHER
    assert store.kept is not None
    assert store.kept.info == current.info == OTHER
    assert log.one("model changed")["sha256"] == "1" * 12
    assert "model changed" in EVENTS


def test_the_end_of_a_failure_has_the_level_of_the_failure(log: Recorder) -> None:
    """Who filters for errors sees that the problem is over."""
    current = CurrentModel(Fixed(MODEL), fallback_reason="cannot load the model")
    change = change_of(current, lambda: Fixed(OTHER), log, MemoryModelStore())
    change.ask()
    change.step()

    assert log.one("model recovered")["log_level"] == "error"


def test_a_new_model_without_a_frame_to_try_it_on_is_kept_only_after_one(log: Recorder) -> None:
    store = MemoryModelStore(Fixed(OLD))
    current = CurrentModel(Fixed(MODEL))
    change = change_of(current, lambda: Fixed(OTHER, odd="frames"), log, store)

    change.ask()
    change.step()
    assert current.info == OTHER
    current.detect(IMAGE)
    change.step()

    assert current.info == OLD
    assert log.events == ["model changed", "model reload failed"]


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (broken, "it is a text"),
        (misconfigured, "AGENT_PROVIDERS"),
        (lambda: Fixed(OTHER, odd="frames"), "its output for the last frame"),
        (lambda: Fixed(replace(OTHER, task=Task.CLASSIFY)), "restart"),
    ],
)
def test_a_new_model_that_does_not_work_changes_nothing(
    load: Load, words: str, log: Recorder
) -> None:
    current = CurrentModel(Fixed(MODEL))
    current.detect(IMAGE)
    change = change_of(current, load, log, MemoryModelStore())

    change.ask()
    change.step()

    assert current.detect(IMAGE).model == MODEL
    assert words in log.one("model reload failed")["error"]
    assert words in str(current.fallback_reason)
    assert log.events == ["model reload failed"]


def test_a_model_that_wastes_time_is_used_and_said(log: Recorder) -> None:
    new = Fixed(OTHER)
    new.batch_waste = "its batch size is 4"
    current = CurrentModel(Fixed(MODEL))
    change = change_of(current, lambda: new, log, MemoryModelStore())

    change.ask()
    change.step()

    assert log.events == ["model changed", "model batch wasted"]
    assert log.one("model batch wasted")["error"] == new.batch_waste


def test_thresholds_of_labels_that_the_model_has_not_are_logged(log: Recorder) -> None:
    current = CurrentModel(Fixed(MODEL))
    current.threshold_labels = ("car", "Lorry")
    current.warn(log.log)
    assert log.one("threshold unused")["labels"] == "Lorry"

    new = Fixed(replace(OTHER, labels=("lorry",)))
    change = change_of(current, lambda: new, log, MemoryModelStore())
    change.ask()
    change.step()

    assert log.lines[-1]["labels"] == "car, Lorry (did you mean lorry?)"


def test_a_fixed_file_clears_the_fallback_reason(log: Recorder) -> None:
    current = CurrentModel(Fixed(OLD), fallback_reason="cannot load the model")
    change = change_of(current, lambda: Fixed(OTHER), log, MemoryModelStore())

    change.ask()
    change.step()

    assert current.info == OTHER
    assert current.fallback_reason is None
