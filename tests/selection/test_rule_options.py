"""Options of rules: declared as fields, set by one setting, refused with the reason."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Thresholds
from agent.errors import ConfigurationError
from agent.selection.rules import make_rules, rules
from agent.selection.rules.options import options_of, parse_rule_options
from agent.selection.rules.temporal import WeakTrack
from agent.settings.load import load

ALL = [(name, each) for name, rule in rules().items() for each in options_of(rule).values()]


def test_an_option_reaches_the_rule() -> None:
    options = parse_rule_options("weak_track.least_frames=7 count_change.least_deviation=4.5")

    weak, _, clash = make_rules(["weak_track", "count_change", "clash"], Thresholds(0.5), options)

    assert isinstance(weak, WeakTrack)
    assert weak.least_frames == 7
    assert options == {"weak_track": {"least_frames": 7}, "count_change": {"least_deviation": 4.5}}
    assert clash.name == "clash"


@pytest.mark.parametrize(("rule", "declared"), ALL, ids=lambda each: getattr(each, "name", each))
def test_each_default_is_allowed_and_explained(rule: str, declared: object) -> None:
    option = options_of(rules()[rule])[getattr(declared, "name", "")]

    assert option.ge <= option.default <= option.le
    assert option.meaning.endswith(".")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("weak_track=3", "must be pairs such as"),
        ("weak_track.least_frames", "must be pairs such as"),
        ("edge.margin=3", "there is no rule edge; rules are low_confidence"),
        ("weak_trak.least_frames=3", "no rule weak_trak (did you mean weak_track?)"),
        ("weak_track.least_frame=3", "no option least_frame (did you mean least_frames?)"),
        ("clash.margin=3", "clash has no option margin; it has no options"),
        ("weak_track.margin=3", "has no option margin; its options are least_frames"),
        ("weak_track.least_frames=0", "must be a whole number between 1 and 1000 frames"),
        ("weak_track.least_frames=3.5", "must be a whole number"),
        ("count_change.least_deviation=nan", "must be a number between 0 and 10"),
        ("count_change.least_deviation=-1", "must be a number between 0 and 10"),
        ("weak_track.least_frames=3 weak_track.least_frames=4", "is set twice"),
    ],
)
def test_a_wrong_pair_is_refused_with_the_allowed_values(
    text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_RULE_OPTIONS", text)

    with pytest.raises(ConfigurationError, match="AGENT_RULE_OPTIONS: ") as raised:
        load()

    assert reason in str(raised.value)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert set(parse_rule_options(text)) <= set(rules())
