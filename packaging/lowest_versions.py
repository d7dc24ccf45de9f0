"""Prints the lowest allowed version of each library that the agent runs with, for pip's -c.

python packaging/lowest_versions.py > lowest.txt && pip install -c lowest.txt '.[dev]'
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
EXTRAS = ("mqtt", "pool", "s3", "web")
"""Extras with libraries that the agent runs with; those of the tests may be the newest."""

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?(?:>=|==)(?P<version>[0-9.]+)")


def lowest_versions(project: str) -> dict[str, str]:
    """Return name and lowest version of each library in the text of a `pyproject.toml`.

    Raises `ValueError` for a requirement without a lowest version.
    """
    tables = tomllib.loads(project)["project"]
    requirements = list(tables["dependencies"])
    for extra in EXTRAS:
        requirements += tables["optional-dependencies"][extra]
    found = {}
    for requirement in requirements:
        bound = _REQUIREMENT.match(requirement)
        if bound is None:
            raise ValueError(
                f"pyproject.toml: {requirement!r} has no lowest version: add >=VERSION"
            )
        found[bound["name"]] = bound["version"]
    return found


def main() -> None:
    """Print one constraint a line."""
    for name, version in lowest_versions(PROJECT.read_text(encoding="utf-8")).items():
        sys.stdout.write(f"{name}=={version}\n")


if __name__ == "__main__":
    main()
