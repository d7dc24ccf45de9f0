"""The texts and scripts of the Debian package, without building it."""

import gzip
import subprocess
from pathlib import Path

import pytest
from debian import SCRIPTS, Build
from documents import Library, bundled, changelog, copyright_text

MAINTAINER_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


@pytest.mark.parametrize("name", MAINTAINER_SCRIPTS)
def test_a_maintainer_script_is_sound_and_ends_at_the_first_error(name: str) -> None:
    text = (SCRIPTS / name).read_text("utf-8")

    assert text.startswith("#!/bin/sh\n")
    assert "\nset -e\n" in text
    assert (SCRIPTS / name).stat().st_mode & 0o111 == 0o111
    assert subprocess.run(["sh", "-n", SCRIPTS / name], check=False).returncode == 0


@pytest.mark.parametrize("name", MAINTAINER_SCRIPTS)
def test_a_maintainer_script_does_nothing_that_it_was_not_called_for(name: str) -> None:
    """dpkg calls with words that a later version may know and this one does not."""
    done = subprocess.run(
        ["sh", SCRIPTS / name, "abort-install-of-the-future"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_a_package_for_a_later_python_is_a_later_version() -> None:
    """So that after an upgrade of Debian apt takes the one that fits."""
    for_python = {
        minor: Build(Path("dist/edge_capture_agent-0.1.0-py3-none-any.whl"), "arm64", minor, "M", 0)
        for minor in ("3.11", "3.13")
    }

    assert for_python["3.11"].file_name == "capture-agent_0.1.0+py3.11_arm64.deb"
    newer = [for_python["3.13"].version, "gt", for_python["3.11"].version]
    assert subprocess.run(["dpkg", "--compare-versions", *newer], check=False).returncode == 0


def test_the_changelog_tells_the_newest_version_alone(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\nA word.\n\n## 2.0.0\n\n- One\n  thing.\n- Two.\n\n## 1.0.0\n\n- Old.\n",
        "utf-8",
    )

    text = gzip.decompress(changelog(tmp_path, "2.0.0+py3.11", "A B <a@b.c>", 0)).decode()

    assert text == (
        "capture-agent (2.0.0+py3.11) stable; urgency=medium\n\n  * One thing.\n  * Two.\n\n"
        " -- A B <a@b.c>  Thu, 01 Jan 1970 00:00:00 +0000\n"
    )


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MIT\nLicense: whatever\n", "MIT"),
        ("Classifier: License :: OSI Approved :: BSD License\n", "BSD License"),
        ("License: Apache 2.0\n", "Apache 2.0"),
        ("", "see its METADATA"),
    ],
)
def test_each_library_is_named_with_its_licence(
    tmp_path: Path, metadata: str, licence: str
) -> None:
    for name in ("other", "edge-capture-agent"):
        folder = tmp_path / f"lib/python3.11/site-packages/{name}-1.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: 1\n{metadata}", "utf-8")

    [library] = bundled(tmp_path)

    assert (library.name, library.licence) == ("other", licence)
    assert f"the authors of other 1\nLicense: {licence}\n" in copyright_text([library])


def test_binaries_in_a_wheel_have_their_own_licence() -> None:
    text = copyright_text([Library("av", "18.1.0", "BSD-3-Clause", "av-18.1.0.dist-info")])

    assert "/av.libs/libx264-*" in text
    assert "License: GPL-2+\nComment" in text
    assert "/usr/share/common-licenses/GPL-2.\n" in text
