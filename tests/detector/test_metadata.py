import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detector.letterbox import Size
from agent.detector.model_file.metadata import read_metadata


def test_metadata_of_ultralytics_is_read() -> None:
    found = read_metadata(
        {
            "names": "{0: 'person', 1: \"traffic light\", 2: 'Fahrrad ü'}",
            "imgsz": "[384, 640]",
            "stride": "32",
            "task": "detect",
            "author": "Ultralytics",
        }
    )

    assert found.labels == ("person", "traffic light", "Fahrrad ü")
    assert (found.size, found.stride, found.task) == (Size(640, 384), 32, "detect")
    assert found.entries["author"] == "Ultralytics"


def test_a_file_without_metadata_gives_none() -> None:
    found = read_metadata({})

    assert (found.labels, found.size, found.stride, found.task) == (None, None, None, None)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ("['a', 'b']", ("a", "b")),
        ("{1: 'b', 0: 'a'}", ("a", "b")),
        ("{0: 'a', 2: 'c'}", None),
        ("{'a': 0}", None),
        ("{}", None),
        ("", None),
        ("'person'", None),
        ("__import__('os').system('true')", None),
        ("{0: 'a'", None),
        ("{[]: 'a'}", None),
        ("(" * 300 + ")" * 300, None),
        ("-" * 100_000 + "1", None),
        ("[" + "1," * 300_000 + "]", None),
        ("\x00", None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_invalid_names_are_ignored(names: str, labels: tuple[str, ...] | None) -> None:
    assert read_metadata({"names": names}).labels == labels


@pytest.mark.parametrize(
    ("imgsz", "size"),
    [
        ("640", Size(640, 640)),
        ("(256, 320)", Size(320, 256)),
        ("[640.0, 640.0]", Size(640, 640)),
        ("[640]", None),
        ("[0, 640]", None),
        ("[640, 1000000]", None),
        ("[1e400, 640]", None),
        ("['640', 640]", None),
        ("[640.5, 640]", None),
        ("True", None),
        ("None", None),
    ],
)
def test_only_a_plausible_image_size_is_read(imgsz: str, size: Size | None) -> None:
    assert read_metadata({"imgsz": imgsz}).size == size


@pytest.mark.parametrize(
    ("stride", "pixels"), [("32", 32), ("32.0", 32), ("0", None), ("-8", None), ("x", None)]
)
def test_only_a_plausible_stride_is_read(stride: str, pixels: int | None) -> None:
    assert read_metadata({"stride": stride}).stride == pixels


def test_the_labels_of_paddle_are_read() -> None:
    assert read_metadata({"character": "text\nplain text\n\nfigure: a\n"}).labels == (
        "text",
        "plain text",
        "figure: a",
    )


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"names": "{0: 'a', 2: 'c'}"}, "`names` in its metadata"),
        ({"names": "{0: 'ca\\ud800t'}"}, r"`names` .* label 0, 'ca\\ud800t', has control"),
        ({"names": "{0: 'a\\x1b[2J'}"}, r"'a\\x1b\[2J', has control characters"),
        ({"names": "{0: 0x" + "F" * 6000 + "}"}, "is not understood"),
        ({"names": "{0: " + "9" * 6000 + "}"}, "is not understood"),
        ({"character": "a\x00b"}, r"`character` .* 'a\\x00b'"),
        ({"class_names": "{1"}, "`class_names`"),
    ],
)
def test_why_labels_were_not_understood_is_known(entries: dict[str, str], words: str) -> None:
    found = read_metadata(entries)

    assert found.labels is None
    assert re.search(words, found.label_problem)


def test_metadata_of_many_megabytes_is_left_out() -> None:
    large = {f"note {number}": "x" * 500_000 for number in range(60)}

    found = read_metadata({"names": "['a']", "x" * 1000: "1", **large})

    assert found.labels == ("a",)
    assert sum(map(len, found.entries.values())) <= 2_000_000
    assert max(map(len, found.entries)) <= 200


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["names", "imgsz", "stride", "task", "character", "classes", "id2label"]),
        st.text(max_size=60) | st.text("{}[]():,'\"0123456789.eE+-abc\\ux \n", max_size=60),
    )
)
def test_any_metadata_gives_clean_labels_or_none(entries: dict[str, str]) -> None:
    found = read_metadata(entries)

    assert found.label_problem.isprintable()
    for label in found.labels or ():
        label.encode()
        assert label.strip()
        assert not {"\x1b", "\n", "\r", "\0"} & set(label)
