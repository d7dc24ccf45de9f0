"""The order of the layers, as the package's docstring promises it."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

from tests import ROOT
from tests.house.house_rules import imported, modules

# Lowest first. A package stands for all of its modules that are not named themselves.
LAYERS: Mapping[str, tuple[str, ...]] = {
    "nouns": ("agent", "agent.library_environment", "agent.errors", "agent.events", "agent.domain"),
    "ports": (
        "agent.ports",
        "agent.path_text",
        "agent.quoted_words",
        "agent.redaction",
        "agent.printable",
        "agent.progress",
    ),
    # Neither reads nor writes, so most of it is tested without a file, a socket or a thread.
    # The record format is below the rest: selection and spool speak of records, not the reverse.
    "record": ("agent.record",),
    "pure": (
        "agent.selection",
        "agent.pages",
        "agent.detector.formats",
        "agent.detector.letterbox",
        "agent.detector.model_file.input_spec",
        "agent.camera.address",
        "agent.camera.masks",
        "agent.camera.polygons",
        "agent.camera.device_options",
        "agent.camera.program_address",
        "agent.camera.push_address",
        "agent.camera.source_options",
        "agent.camera.schedule",
        "agent.spool.eviction",
        "agent.mqtt.address",
        "agent.upload.response",
        "agent.upload.response_json",
        "agent.upload.backoff",
        "agent.upload.retry_order",
        "agent.upload.upload_window",
        "agent.upload.targets.address",
        "agent.upload.targets.browser_address",
        "agent.upload.targets.registry",
        "agent.web.address",
    ),
    "shared": (
        "agent.settings",
        "agent.logs",
        "agent.log_queue",
        "agent.files",
        "agent.library_output",
    ),
    "adapters": (
        "agent.camera",
        "agent.detector",
        "agent.exchange",
        "agent.record.drawing",  # OpenCV
        "agent.record.image",
        "agent.record.pixelate",
        "agent.record.shape_drawing",
        "agent.spool",
        "agent.upload",
        "agent.system",
    ),
    "runtime": ("agent.runtime",),
    "web": ("agent.web",),
    "doors": ("agent.api", "agent.mqtt"),
    "dataset": ("agent.dataset",),
    "evaluation": ("agent.evaluation",),
    "fleet": ("agent.fleet",),
    "desk": ("agent.pool", "agent.receiver", "agent.replay"),
    "review": ("agent.review",),
    "factories": ("agent.factories",),
    "app": ("agent.app",),
    "install": ("agent.install",),
    "cli": ("agent.cli",),
    "python -m agent": ("agent.__main__",),
}
RANK = {name: rank for rank, names in enumerate(LAYERS.values()) for name in names}

COSTLY = ("numpy", "cv2", "onnxruntime", "requests", "structlog", "pydantic", "diskcache")


def rank_of(module: str) -> int | None:
    """The layer of the nearest package that the table names; the root stands for itself alone."""
    name = module
    while name != "agent" or name == module:
        if name in RANK:
            return RANK[name]
        if "." not in name:
            return None
        name = name.rpartition(".")[0]
    return None


def room(module: str) -> str:
    """The folder of a module."""
    parts = module.split(".")
    folder = ROOT.joinpath(*parts[:2])
    return ".".join(parts[:2]) if folder.is_dir() else parts[0]


def wrong_imports(trees: Mapping[str, ast.Module]) -> list[str]:
    """Imports from above, and from another folder of the same layer."""
    complaints = []
    for module, tree in trees.items():
        here = rank_of(module)
        if here is None:
            complaints.append(f"{module} has no layer")
            continue
        for target in sorted(set(imported(tree, trees))):
            there = rank_of(target)
            is_neighbour = there == here and room(module) == room(target)
            if there is None or (there >= here and not is_neighbour):
                complaints.append(f"{module} imports {target}")
    return complaints


def cycles(trees: Mapping[str, ast.Module]) -> list[str]:
    graph = {module: set(imported(tree, trees)) - {module} for module, tree in trees.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]  # type: ignore[no-any-return]
    return []


def test_each_module_imports_from_below_alone() -> None:
    assert wrong_imports(modules()) == []


def test_no_modules_import_each_other() -> None:
    assert cycles(modules()) == []


def test_each_name_in_the_table_of_layers_exists() -> None:
    assert set(RANK) <= set(modules())


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("agent.domain", "from agent.errors import AgentError\nimport agent.ports"),
        ("agent.selection.score_quantiles", "from agent.settings.declarations import Settings"),
        ("agent.camera.live", "from agent.upload import http"),
        ("agent.spool.spool", "def f():\n    from agent.runtime.worker import Worker"),
        ("agent.runtime.reader", "from agent import app"),
        ("agent.app", "import agent.cli.run"),
        ("agent.somewhere", "import os"),
    ],
)
def test_an_import_from_above_or_aside_is_found(module: str, source: str) -> None:
    empty = dict.fromkeys(modules(), ast.parse(""))
    planted = {**empty, module: ast.parse(source)}

    assert len(wrong_imports(planted)) == 1


def test_a_circle_of_imports_is_found() -> None:
    planted = {"agent.a": ast.parse("import agent.b"), "agent.b": ast.parse("from agent import a")}

    assert set(cycles({"agent": ast.parse(""), **planted})) == {"agent.a", "agent.b"}


def loaded_by(script: str, costly: Sequence[str] = COSTLY) -> set[str]:
    """The costly libraries that a script of its own process has imported at its end."""
    report = f"import sys\nprint(*[m for m in {costly} if m in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stderr.split())


def test_the_runtime_knows_the_libraries_through_its_ports_alone() -> None:
    names = [name for name in modules() if name.startswith("agent.runtime")]

    assert loaded_by(f"import {', '.join(names)}") - {"numpy", "structlog", "diskcache"} == set()


def test_a_daemon_without_api_and_broker_loads_no_library_of_theirs() -> None:
    script = (
        "from types import SimpleNamespace\n"
        "import agent.app\n"
        "from agent.factories.api import check_api_terms, check_broker_terms, side_workers\n"
        "from agent.settings.load import without_environment\n"
        "settings = without_environment()\n"
        "check_api_terms(settings)\n"
        "check_broker_terms(settings)\n"
        "doors = SimpleNamespace(facts=None)\n"
        "assert side_workers(settings, doors, log=None) == ()"
    )

    assert loaded_by(script, ("starlette", "uvicorn", "jinja2", "paho", "h11", "anyio")) == set()


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["--version"], set()),
        (["--help"], set()),
        (["status"], {"pydantic", "diskcache"}),
        (["status", "--json"], {"pydantic", "diskcache"}),
        (["env"], {"pydantic"}),
        (["rejected", "--help"], None),
    ],
)
def test_a_command_that_only_looks_imports_no_costly_library(
    words: list[str], allowed: set[str] | None
) -> None:
    script = (
        "import contextlib, sys\n"
        f"sys.argv = ['capture-agent', *{words}]\n"
        "from agent.cli import main\n"
        "with contextlib.suppress(SystemExit): main()"
    )
    never = {"numpy", "cv2", "onnxruntime", "requests"}

    found = loaded_by(script)

    assert found & never == set()
    assert allowed is None or found <= allowed
