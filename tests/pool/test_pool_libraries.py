"""Libraries that are missing, too old or broken are one sentence with the fix."""

import importlib
import importlib.metadata
import tomllib
from typing import Any

import pytest

from agent.errors import ConfigurationError
from agent.factories import pool_libraries
from agent.factories.pool_libraries import OLDEST, need_pool_libraries
from tests import ROOT


def test_the_versions_are_those_that_the_extra_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {
        each.partition(">=")[0].partition("[")[0]: each.partition(">=")[2]
        for each in project["optional-dependencies"]["pool"]
    }

    assert asked.keys() == OLDEST.keys()
    for name, text in asked.items():
        assert pool_libraries._numbers(text) == OLDEST[name]


@pytest.mark.parametrize(
    ("name", "found", "with_ray", "refused"),
    [
        ("pyarrow", "18.1.0", False, True),
        ("pyarrow", "19", False, False),
        ("pyarrow", "100.0.dev3", False, False),
        ("ray", "2.9.3", True, True),
        ("ray", "2.9.3", False, False),
        ("ray", "2.49.0rc0", True, False),
    ],
)
def test_an_old_version_is_named_with_the_one_that_is_needed(
    monkeypatch: pytest.MonkeyPatch, name: str, found: str, *, with_ray: bool, refused: bool
) -> None:
    real = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda asked: found if asked == name else real(asked)
    )
    if not refused:
        need_pool_libraries(with_ray=with_ray)
        return
    with pytest.raises(ConfigurationError) as error:
        need_pool_libraries(with_ray=with_ray)

    assert f"or newer, and {found} is installed" in str(error.value)
    assert "pip install --upgrade 'edge-capture-agent[pool]'" in str(error.value)


@pytest.mark.parametrize(
    "broken",
    [
        ImportError("libarrow.so.2600: cannot open shared object file\nand more"),
        AttributeError("_ARRAY_API not found"),
        SystemError(),
    ],
)
def test_a_library_that_cannot_be_loaded_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, broken: Exception
) -> None:
    def fail(_name: str, *_: Any) -> None:
        raise broken

    monkeypatch.setattr(importlib, "import_module", fail)

    with pytest.raises(ConfigurationError, match="cannot load pyarrow: ") as error:
        need_pool_libraries(with_ray=False)

    assert (str(broken).partition("\n")[0] or "SystemError") in str(error.value)
    assert "\n" not in str(error.value)
