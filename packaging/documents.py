"""The documents that Debian wants of a package: who may do what with it, and what is new."""

import gzip
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import HeaderParser
from email.utils import format_datetime
from pathlib import Path

_HEAD = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: edge-capture-agent

Files: *
Copyright: the authors of the capture agent
License: Apache-2.0

Files: opt/capture-agent/lib/*/site-packages/agent/detector/models/*
Copyright: 2021 Vladimir Mandic; 2020-2021 RangiLyu
License: Expat and Apache-2.0
Comment: the notices are beside the model, in LICENSES.md
"""
_APACHE = """\
License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
"""
# A wheel's metadata names the licence of its Python code, not that of the binaries in it.
_BINARIES = {
    "av": (
        ("av.libs/libx264-* av.libs/libx265-*", "VideoLAN, MulticoreWare", "GPL-2+"),
        ("av.libs/libav* av.libs/libsw*", "the FFmpeg developers", "LGPL-3+"),
    ),
    "opencv-python-headless": (
        ("*_headless.libs/libav* *_headless.libs/libsw*", "the FFmpeg developers", "LGPL-2.1+"),
    ),
}
_COMMON = {
    "GPL-2+": "GPL-2",
    "LGPL-3+": "LGPL-3",
    "LGPL-2.1+": "LGPL-2.1",
}


@dataclass(frozen=True, slots=True)
class Library:
    """One library that is in the package."""

    name: str
    version: str
    licence: str
    folder: str  # its dist-info, which has the full texts


def bundled(home: Path) -> list[Library]:
    """The libraries in a virtual environment, without the agent itself."""
    found = []
    for metadata in sorted(home.glob("lib/*/site-packages/*.dist-info/METADATA")):
        facts = HeaderParser().parsestr(metadata.read_text("utf-8"))
        if facts["Name"] != "edge-capture-agent":
            licence = _licence(
                facts["License-Expression"], facts["License"], facts.get_all("Classifier")
            )
            found.append(Library(facts["Name"], facts["Version"], licence, metadata.parent.name))
    return found


def copyright_text(libraries: Sequence[Library]) -> str:
    """Debian's file of licences."""
    parts = [_HEAD]
    parts.extend(
        f"Files: opt/capture-agent/lib/*/site-packages/{each.folder}/*\n"
        f"Copyright: the authors of {each.name} {each.version}\n"
        f"License: {each.licence}\n"
        "Comment: RECORD there lists its files; the licence is beside it or in METADATA\n"
        for each in libraries
    )
    for each in libraries:
        parts += [_of_binaries(*row) for row in _BINARIES.get(each.name.lower(), ())]
    return "\n".join([*parts, _APACHE, *(_common(*names) for names in _COMMON.items())])


def _of_binaries(files: str, authors: str, licence: str) -> str:
    places = " ".join(f"opt/capture-agent/lib/*/site-packages/{file}" for file in files.split())
    return (
        f"Files: {places}\nCopyright: {authors}\nLicense: {licence}\n"
        "Comment: in the wheel as its makers built it; to pass it on, offer the source\n"
    )


def _common(licence: str, text: str) -> str:
    return f"License: {licence}\n The full text is in /usr/share/common-licenses/{text}.\n"


def changelog(root: Path, version: str, maintainer: str, at: int) -> bytes:
    """The newest part of CHANGELOG.md as Debian's compressed changelog."""
    text = (root / "CHANGELOG.md").read_text("utf-8")
    newest = re.split(r"(?m)^## ", text)[1].partition("\n")[2]
    entries = [" ".join(item.split()) for item in re.split(r"(?m)^- ", newest)[1:]]
    lines = [f"capture-agent ({version}) stable; urgency=medium", ""]
    for entry in entries:
        lines += textwrap.wrap(entry, 78, initial_indent="  * ", subsequent_indent="    ")
    when = format_datetime(datetime.fromtimestamp(at, UTC))
    lines += ["", f" -- {maintainer}  {when}", ""]
    return gzip.compress("\n".join(lines).encode(), mtime=0)


def _licence(expression: str | None, text: str | None, classifiers: Sequence[str] | None) -> str:
    """What a library's metadata says, in one line."""
    if expression:
        return expression
    named = [line.rpartition(" :: ")[2] for line in classifiers or () if line.startswith("License")]
    if named:
        return " or ".join(named)
    return (text or "see its METADATA").strip().splitlines()[0]
