from pathlib import Path

import pytest

from agent.detector.formats.class_ids import label_table
from agent.detector.formats.contract import Layout
from agent.detector.model_file.labels import find_labels, fitting_labels
from agent.errors import ConfigurationError

TWO = ("cat", "dog")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "farm.v2.onnx"


def resolve(
    model: Path,
    setting: str = "auto",
    *,
    classes: int = 2,
    from_model: tuple[str, ...] | None = None,
) -> tuple[str, ...]:
    found = find_labels(setting, from_model=from_model, model=model)
    return fitting_labels(found, Layout((0,), classes), model)


@pytest.mark.parametrize(
    ("setting", "labels"),
    [
        ("cat,dog", TWO),
        ("cat, dog", TWO),
        ("cat dog", TWO),
        ("  cat   dog ", TWO),
        ("cat, dog,", TWO),
        ("traffic light, fire hydrant", ("traffic light", "fire hydrant")),
        ("tv/monitor, dog", ("tv/monitor", "dog")),
    ],
)
def test_labels_are_separated_by_commas_or_spaces(
    model: Path, setting: str, labels: tuple[str, ...]
) -> None:
    assert resolve(model, setting) == labels


def test_a_very_long_list_is_not_read_as_a_path(model: Path) -> None:
    labels = tuple(f"label{index}" for index in range(2000))

    assert resolve(model, " ".join(labels), classes=2000) == labels


@pytest.mark.parametrize("text", ["cat\ndog\n", "\ufeffcat\r\ndog", "cat\n\n dog \n\n"])
def test_a_file_has_one_label_per_line(model: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "my words"
    file.write_bytes(text.encode())

    assert resolve(model, str(file)) == TWO


def test_labels_in_the_model_have_priority_over_a_text_file(model: Path) -> None:
    model.with_name("labels.txt").write_text("a\nb\n")

    assert resolve(model, from_model=TWO) == TWO


def test_a_text_file_with_the_name_of_the_model_has_priority_over_labels_txt(model: Path) -> None:
    model.with_name("labels.txt").write_text("a\nb\n")
    assert resolve(model) == ("a", "b")

    model.with_name("farm.v2.txt").write_text("cat\ndog\n")
    assert resolve(model) == TWO


def test_the_setting_has_priority_over_labels_in_the_model(model: Path) -> None:
    assert resolve(model, "cat dog", from_model=("a", "b")) == TWO


def test_the_labels_of_the_bundled_model_are_used_if_there_are_no_others(model: Path) -> None:
    found = find_labels("auto", from_model=None, model=model, bundled=TWO)

    assert found.labels == TWO


@pytest.mark.parametrize(
    ("setting", "from_model", "words"),
    [
        ("auto", ("cat",), r"number of classes is 2, its number of labels 1 \(from the model\)"),
        (
            "auto",
            None,
            r"is 2, its number of labels 0 \(none in its metadata, no farm\.v2\.txt or .*\)",
        ),
        (
            "cat dog hen",
            None,
            r"number of classes is 2, its number of labels 3 \(from AGENT_MODEL_LABELS\)",
        ),
    ],
)
def test_a_wrong_number_of_labels_is_refused_with_both_numbers(
    model: Path, setting: str, from_model: tuple[str, ...] | None, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{words}; set AGENT_MODEL_LABELS"):
        resolve(model, setting, from_model=from_model)


@pytest.mark.parametrize("first", ["background", "__background__", "???"])
def test_a_background_before_the_labels_of_a_model_without_one_is_left_out(
    model: Path, first: str
) -> None:
    layout = Layout((0,), 2)
    labels = (first, "cat", "dog")

    found = fitting_labels(
        find_labels(",".join(labels), from_model=None, model=model), layout, model
    )

    table = label_table(layout, found)
    assert table is not None
    assert [found[index] for index in table] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [("gone.txt", "No such file"), ("/nowhere/labels", "No such file"), ("/", "directory")],
)
def test_a_file_that_cannot_be_read_is_named(model: Path, setting: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{setting}: .*{words}.*AGENT_MODEL_LABELS"):
        resolve(model, setting)


def test_a_file_that_is_not_utf8_is_refused(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(b"\xff\xfe\x00cat")

    with pytest.raises(ConfigurationError, match=r"labels\.txt: it is not UTF-8 text"):
        resolve(model)
