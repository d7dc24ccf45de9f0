import pytest

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
