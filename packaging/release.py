"""Makes a release: wheel, sdist, Debian packages, bill of materials, checksums; audited first.

    pip install -e '.[release]' && python packaging/release.py

Into `dist/`:

- the wheel and the sdist;
- `capture-agent_VERSION_ARCHITECTURE.deb` for amd64 and arm64;
- `edge-capture-agent-VERSION.cdx.json`: CycloneDX, all libraries in the packages with versions and
  licences, so that one can look up next year what this year's devices hold;
- `SHA256SUMS`: of all of these, for `sha256sum --check`.

Nothing is left in `dist/` that was not audited: pip-audit asks an advisory service, which takes a
network; where it cannot be asked, the release fails and says so.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))

from debian import (
    EXTRA,
    MACHINES,
    ROOT,
    Build,
    BuildFailed,
    build_package,
    built_at,
    default_maintainer,
    download,
    run,
)

OURS = "edge-capture-agent"


def release(out: Path, *, pythons: Sequence[str], audited: bool) -> None:
    """Fill `out`; raises `BuildFailed`."""
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise BuildFailed(f"cannot release into {out}: it is not empty; remove it first")
    with tempfile.TemporaryDirectory(prefix="capture-agent-release-") as scratch:
        made = Path(scratch) / "dist"
        run(sys.executable, "-m", "build", "--quiet", "--outdir", str(made), str(ROOT))
        [wheel] = made.glob("*.whl")
        environment = Path(scratch) / "environment"
        python = _environment(environment, wheel)
        if audited:
            audit(environment)
        version = wheel.name.split("-")[1]
        bill_of_materials(python, version, made / f"{OURS}-{version}.cdx.json")
        for minor in pythons:
            for architecture in sorted(MACHINES):
                build = Build(wheel, architecture, minor, default_maintainer(), built_at())
                wheels = Path(scratch) / f"wheels-{architecture}-{minor}"
                download(build, wheels)
                build_package(build, wheels, made)
        (made / "SHA256SUMS").write_text(checksums(made.iterdir()), "utf-8")
        shutil.copytree(made, out, dirs_exist_ok=True)


def audit(environment: Path) -> None:
    """Raise `BuildFailed` unless every library is known to an advisory service, without advisories.

    Its exit code alone is not believed: pip-audit skips what the service does not know, and finds
    nothing wrong where it could ask about nothing.
    """
    [libraries] = environment.glob("lib/python*/site-packages")
    words = ("--path", str(libraries), "--format", "json", "--progress-spinner", "off")
    done = subprocess.run(
        (sys.executable, "-m", "pip_audit", *words), capture_output=True, text=True, check=False
    )
    try:
        found = json.loads(done.stdout)["dependencies"]
    except ValueError:
        raise BuildFailed(
            f"cannot audit: pip-audit gave no answer: {done.stderr.strip()[-500:]}\n{_UNAUDITED}"
        ) from None
    problems = complaints(found)
    if problems:
        raise BuildFailed("\n".join(["the libraries are not fit for a release:", *problems]))


def complaints(dependencies: Iterable[dict[str, Any]]) -> list[str]:
    """What pip-audit's answer holds against the libraries, in lines for a person."""
    lines, unknown = [], []
    for each in dependencies:
        if each["name"] == OURS:
            continue
        if "skip_reason" in each:
            unknown.append(each["name"])
        for advisory in each.get("vulns", ()):
            fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
            lines.append(f"{each['name']} {each['version']}: {advisory['id']}, fixed in {fixed}")
    if unknown:
        lines.append(f"not audited, unknown to the service: {', '.join(unknown)}\n{_UNAUDITED}")
    return lines


def bill_of_materials(python: Path, version: str, bill: Path) -> None:
    """Write what the environment of this Python holds, as parts of this version of the agent."""
    words = ("--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible")
    out = ("--output-format", "JSON", "--output-file", str(bill))
    run(sys.executable, "-m", "cyclonedx_py", "environment", *words, *out, str(python))
    facts = json.loads(bill.read_text("utf-8"))
    facts["metadata"]["component"]["version"] = version  # which pyproject.toml does not have
    bill.write_text(json.dumps(facts, indent=2), "utf-8")


def checksums(files: Iterable[Path]) -> str:
    """As `sha256sum` writes them."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(files)
    )


_UNAUDITED = (
    "The advisory service must be reachable, not only a registry of packages: release where there "
    "is a network, or with --without-audit and audit the bill of materials elsewhere."
)


def _environment(folder: Path, wheel: Path) -> Path:
    """An environment with what the packages hold and no tools; answers its Python."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    into = ("--python", str(python), "install", "--quiet", f"{wheel}[{EXTRA}]")
    run(sys.executable, "-m", "pip", *into)
    return python


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Makes a release.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--python", nargs="+", default=["3.11"], help="of the distributions")
    parser.add_argument("--without-audit", action="store_true")
    options = parser.parse_args()
    try:
        release(options.out, pythons=options.python, audited=not options.without_audit)
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 1
    print(*sorted(options.out.iterdir()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
