"""Builds the Debian package of the agent: everything but Python itself, in /opt/capture-agent.

    python packaging/debian.py --architecture arm64 --python 3.11

What is in it, and why so:

- Devices in the field have no network, so the package brings all libraries along, as they are in
  their wheels. Debian 12 has no onnxruntime and no structlog of the age that is needed.
- It holds a ready virtual environment, not wheels for one that `postinst` would make: what is
  installed is what was tested, dpkg knows each file and its checksum (`dpkg --verify`), an update
  is dpkg's, nothing is written twice to the card, and a device needs neither pip nor python3-venv.
- So there is one package for each architecture and each minor version of Python: that of the
  distribution (3.11 in Debian 12, 3.12 in Ubuntu 24.04, 3.13 in Debian 13). Wheels of another
  architecture are taken from the registry as well as one's own; nothing of them is run here.
- `postinst` calls `capture-agent install`, `prerm` calls `capture-agent uninstall`, so that a
  package, a virtual environment in /opt and an image are set up by the same code.

Needs pip, dpkg-deb and the registry that this computer's pip is configured for.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from documents import bundled, changelog, copyright_text

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "packaging" / "debian"
NAME = "capture-agent"
HOME = Path("opt") / NAME
EXTRA = "s3,web,mqtt"  # a device without a network cannot add it later

SHARE = ROOT / "packaging" / "share"  # made by packaging/manual.py
MAN_PAGE = f"man/man1/{NAME}.1"
COMPLETIONS = {
    f"bash-completion/completions/{NAME}": f"bash-completion/completions/{NAME}",
    f"zsh/site-functions/_{NAME}": f"zsh/vendor-completions/_{NAME}",
    f"fish/vendor_completions.d/{NAME}.fish": f"fish/vendor_completions.d/{NAME}.fish",
}
"""Each file below `share/`, and where Debian has it below `/usr/share`."""

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBC = range(28, 16, -1)  # manylinux tags that run on all systems with such a Python


@dataclass(frozen=True, slots=True)
class Build:
    """One package: for which machine, and from what."""

    wheel: Path
    architecture: str  # as Debian names it
    python: str  # minor version, such as 3.11
    maintainer: str
    built_at: int  # seconds since 1970, of all files and the changelog

    @property
    def version(self) -> str:
        """The agent's, and whose Python it is for: after an upgrade of Debian there is a newer."""
        return f"{self.wheel.name.split('-')[1]}+py{self.python}"

    @property
    def file_name(self) -> str:
        """As apt expects it."""
        return f"{NAME}_{self.version}_{self.architecture}.deb"


class BuildFailed(Exception):
    """A tool said no; the message tells which and why."""


def agent_wheel(folder: Path) -> Path:
    """The agent's own wheel, built into `folder` from this checkout."""
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT))
    [wheel] = folder.glob("edge_capture_agent-*.whl")
    return wheel


def download(build: Build, folder: Path) -> None:
    """All wheels of one machine into `folder`, the agent's own too: enough to install it from."""
    folder.mkdir(parents=True, exist_ok=True)
    what = ("--dest", str(folder), f"{build.wheel}[{EXTRA}]")
    run(sys.executable, "-m", "pip", "download", "-q", *_for_machine(build), *what)


def build_package(build: Build, wheels: Path, out: Path) -> Path:
    """Write the package into `out` from a folder of wheels; answers its path."""
    with tempfile.TemporaryDirectory(prefix="capture-agent-deb-") as scratch:
        tree = Path(scratch) / "tree"
        _environment(tree / HOME, build, wheels)
        _command_on_the_path(tree)
        _documents(tree, build)
        _control(tree, build)
        _modes(tree)
        out.mkdir(parents=True, exist_ok=True)
        package = out / build.file_name
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(build.built_at)}
        # Not xz: it takes minutes here and half a minute on a small device, to save a tenth.
        words = ("dpkg-deb", "--root-owner-group", "-Zzstd", "--build", str(tree), str(package))
        run(*words, environment=environment)
    return package


def run(*words: str, environment: dict[str, str] | None = None) -> str:
    """Run a tool and give its output; raises `BuildFailed`."""
    if shutil.which(words[0]) is None:
        raise BuildFailed(f"cannot run {words[0]}: it is not installed on this computer")
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"cannot run {' '.join(words)}:\n{done.stderr or done.stdout}")
    return done.stdout


def _for_machine(build: Build) -> tuple[str, ...]:
    """Words for pip: wheels alone, those of another computer than this one."""
    machine = MACHINES[build.architecture]
    tags = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC] + [f"manylinux2014_{machine}"]
    platforms = [word for tag in tags for word in ("--platform", tag)]
    python = ("--implementation", "cp", "--python-version", build.python)
    return ("--only-binary=:all:", *python, *platforms)


def _environment(home: Path, build: Build, wheels: Path) -> None:
    """A virtual environment, made without running the Python that it is for."""
    libraries = home / "lib" / f"python{build.python}" / "site-packages"
    source = ("--no-index", "--find-links", str(wheels))
    into = ("--no-compile", "--target", str(libraries), f"{build.wheel}[{EXTRA}]")
    run(sys.executable, "-m", "pip", "install", "-q", *_for_machine(build), *source, *into)
    shutil.rmtree(libraries / "bin")  # their first lines name the Python of this computer
    shutil.rmtree(libraries / "share", ignore_errors=True)  # ours goes where the system looks
    for told in libraries.glob("*.dist-info/direct_url.json"):
        told.unlink()  # a path of this computer
    python = f"/usr/bin/python{build.python}"
    (home / "bin").mkdir()
    for name in ("python", "python3"):
        (home / "bin" / name).symlink_to(python)
    facts = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {build.python}\n"
    (home / "pyvenv.cfg").write_text(facts, "utf-8")
    command = home / "bin" / NAME
    start = f"#!/{HOME}/bin/python\nimport sys\n\nfrom agent.cli import main\n\nsys.exit(main())\n"
    command.write_text(start, "utf-8")
    command.chmod(0o755)


def _command_on_the_path(tree: Path) -> None:
    commands = tree / "usr" / "bin"
    commands.mkdir(parents=True)
    (commands / NAME).symlink_to(f"/{HOME}/bin/{NAME}")


def _documents(tree: Path, build: Build) -> None:
    folder = tree / "usr" / "share" / "doc" / NAME
    folder.mkdir(parents=True)
    libraries = bundled(tree / HOME)
    (folder / "copyright").write_text(copyright_text(libraries), "utf-8")
    news = changelog(ROOT, build.version, build.maintainer, build.built_at)
    (folder / "changelog.gz").write_bytes(news)
    man_page = tree / "usr" / "share" / "man" / "man1" / f"{NAME}.1.gz"
    man_page.parent.mkdir(parents=True)
    man_page.write_bytes(gzip.compress((SHARE / MAN_PAGE).read_bytes(), mtime=0))
    for source, place in COMPLETIONS.items():
        completion = tree / "usr" / "share" / place
        completion.parent.mkdir(parents=True)
        shutil.copy(SHARE / source, completion)
    overrides = tree / "usr" / "share" / "lintian" / "overrides"
    overrides.mkdir(parents=True)
    shutil.copy(SCRIPTS / "lintian-overrides", overrides / NAME)


def _control(tree: Path, build: Build) -> None:
    folder = tree / "DEBIAN"
    folder.mkdir()
    files = [path for path in _files(tree) if folder not in path.parents]
    size = sum(path.stat().st_size for path in files)
    text = (SCRIPTS / "control").read_text("utf-8")
    facts = {
        "version": build.version,
        "architecture": build.architecture,
        "python": build.python,
        "maintainer": build.maintainer,
        "installed_kb": size // 1024,
    }
    (folder / "control").write_text(text.format(**facts), "utf-8")
    for script in ("preinst", "postinst", "prerm", "postrm"):
        shutil.copy(SCRIPTS / script, folder)
    sums = [f"{_md5(path)}  {path.relative_to(tree)}\n" for path in files]
    (folder / "md5sums").write_text("".join(sums), "utf-8")


def _md5(path: Path) -> str:
    """For `dpkg --verify`, against damage and not against people."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _files(tree: Path) -> Iterator[Path]:
    yield from (
        path for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink()
    )


def _modes(tree: Path) -> None:
    """Readable by the service's user, whatever this process's umask and the wheels say."""
    for path in (tree, *tree.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
        elif not path.is_symlink():
            runs = path.stat().st_mode & stat.S_IXUSR and path.suffix not in {".py", ".so"}
            path.chmod(0o755 if runs else 0o644)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Builds the Debian package.")
    parser.add_argument("--architecture", choices=sorted(MACHINES), default="amd64")
    parser.add_argument("--python", default="3.11", help="that of the distribution")
    parser.add_argument("--wheel", type=Path, help="the agent's; default: built from this checkout")
    parser.add_argument("--maintainer", default=default_maintainer())
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            wheel = options.wheel or agent_wheel(Path(scratch))
            build = Build(
                wheel, options.architecture, options.python, options.maintainer, built_at()
            )
            wheels = Path(scratch) / "wheels"
            download(build, wheels)
            print(build_package(build, wheels, options.out))
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def default_maintainer() -> str:
    """Who builds, as Debian's own tools ask it."""
    name = os.environ.get("DEBFULLNAME", "Maintainers of the capture agent")
    return f"{name} <{os.environ.get('DEBEMAIL', 'root@localhost')}>"


def built_at() -> int:
    """`SOURCE_DATE_EPOCH`, else the time of the commit, so that a build can be repeated."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or run("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))


if __name__ == "__main__":
    sys.exit(main())
