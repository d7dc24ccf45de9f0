"""A setting that nothing reads is a promise that nothing keeps."""

import ast
from collections.abc import Mapping

import pytest

from agent.settings.declarations import Settings
from tests.house.house_rules import modules, nodes

DECLARED_IN = "agent.settings"


def unread(fields: set[str], trees: Mapping[str, ast.Module]) -> set[str]:
    """The fields that no module outside the settings reads as an attribute."""
    own_properties = {"threshold", "thresholds", "floor"}  # read through `all_thresholds`
    read = {
        node.attr
        for name, tree in trees.items()
        if not name.startswith(DECLARED_IN)
        for node in nodes(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    if "all_thresholds" in read:
        read |= own_properties
    if "token" in read:
        read.add("upload_token")
    return fields - read


def test_each_setting_is_read_by_the_agent() -> None:
    assert unread(set(Settings.model_fields), modules()) == set()


def test_a_setting_that_nothing_reads_is_found() -> None:
    assert unread({*Settings.model_fields, "planted_setting"}, modules()) == {"planted_setting"}


@pytest.mark.parametrize("field", ["all_thresholds", "token"])
def test_what_stands_for_several_settings_exists(field: str) -> None:
    assert hasattr(Settings, field)
