"""Names become topics and ids: valid, and never two names one."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.mqtt.topics import Topics, object_id, topic_level

NAMES = st.text(min_size=1, max_size=20) | st.from_regex(r"[a_u0-9.]{1,12}", fullmatch=True)


@given(NAMES, NAMES)
@example("a.b", "a_u00002eb")
@example("_u00002e", ".")
@example("a b", "a%20b")
@example("\udc80", "\\udc80")
def test_two_names_stay_two(one: str, other: str) -> None:
    assert (object_id(one) == object_id(other)) == (one == other)
    assert (topic_level(one) == topic_level(other)) == (one == other)


@given(NAMES)
def test_every_name_is_valid_where_it_stands(name: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", object_id(name))
    assert not {"+", "#", "/", "\0"} & set(topic_level(name))
    assert topic_level(name).isascii()


@pytest.mark.parametrize("name", ["gate", "gate-07", "line_2"])
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert object_id(name) == topic_level(name) == name


def test_only_command_topics_are_commands() -> None:
    topics = Topics("site", "gate/07")

    assert topics.root == "site/gate%2F07"
    assert topics.commanded("site/gate%2F07/capture", ("a",)) == ""
    assert topics.commanded("site/gate%2F07/cameras/a/capture", ("a", "b")) == "a"
    assert topics.commanded("site/gate%2F07/cameras/c/capture", ("a", "b")) is None
    assert topics.commanded("site/gate%2F07/state", ("a",)) is None
