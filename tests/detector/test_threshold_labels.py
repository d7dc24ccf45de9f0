import pytest

from agent.detector.threshold_labels import unknown_labels

LABELS = ("person", "traffic light", "car", "tv/monitor", "Hund")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ((), ""),
        (("person", "car"), ""),
        (("Person",), "Person (did you mean person?)"),
        (("traffic_light",), "traffic_light (did you mean traffic light?)"),
        (("persn", "car"), "persn (did you mean person?)"),
        (("hund",), "hund (did you mean Hund?)"),
        (("lorry",), "lorry"),
        (("CAR", "lorry"), "CAR (did you mean car?), lorry"),
        (("a\x1b[2J",), r"a\x1b[2J"),
    ],
)
def test_labels_that_the_model_has_not_are_named_with_the_nearest(
    wanted: tuple[str, ...], said: str
) -> None:
    assert unknown_labels(wanted, LABELS) == said
