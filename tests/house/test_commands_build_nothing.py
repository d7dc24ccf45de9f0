"""Commands and the installation take each part of the agent from `agent.factories`."""

import ast
from collections.abc import Mapping

from tests.house.house_rules import imported, modules

BUILDERS = (
    "agent.camera.open",
    "agent.camera.live",
    "agent.detector.detector",
    "agent.detector.fallback.fallback",
    "agent.receiver.receiver",
    "agent.record.image",
    "agent.selection.device",
    "agent.spool.recovery",
    "agent.upload.targets.factory",
)
"""The modules whose classes and functions make a part out of settings."""


def built_elsewhere(trees: Mapping[str, ast.Module]) -> list[str]:
    """Imports of builders by commands and by the installation, unless for types alone."""
    complaints = []
    for name, tree in trees.items():
        if not name.startswith(("agent.cli", "agent.install")):
            continue
        run = ast.Module([node for node in tree.body if not _for_types(node)], [])
        complaints += [f"{name} imports {each}" for each in imported(run, BUILDERS)]
    return complaints


def _for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def test_commands_build_no_part_by_themselves() -> None:
    assert built_elsewhere(modules()) == []


def test_a_command_that_builds_a_part_is_found() -> None:
    planted = {"agent.cli.flush": ast.parse("from agent.spool.recovery import open_spool")}

    assert built_elsewhere(planted) == ["agent.cli.flush imports agent.spool.recovery"]


def test_each_builder_exists() -> None:
    assert set(BUILDERS) <= set(modules())
