"""Finds what makes a path in a setting mean something else than the operator meant."""

import re

_NAME_MAX = 255  # bytes of a name, in the file systems of Linux
_PATH_MAX = 4095
_PROBLEMS = (
    (r"^['\"]|['\"]$", "the quotes would become part of the path; remove them"),
    (r"^~", "~ is not expanded; write the whole path, such as /var/lib/capture-agent/..."),
    (
        r"\$(?:\{\w+\}|\w+|\()",
        "variables such as $HOME are not expanded; write the whole path",
    ),
    (
        r"^%[A-Za-z](?:/|$)",
        "specifiers such as %h are expanded in unit files alone; write the whole path",
    ),
    (r"\\\s", "the backslash would become part of the path; write the blank without it"),
    (r"^(?i:file):", "write the path without file:"),
    (
        r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]",
        "it has control characters, or bytes that are not UTF-8; write the path again",
    ),
)


def path_problem(text: str, *, quoted: bool = False) -> str | None:
    """Return what is wrong with a path and how to fix it; None when it can be taken as it is.

    `quoted`: the operator put it into quotes where it has blanks, so these belong to it.

    A shell would expand or remove these things; neither systemd nor this program does, so that the
    path would silently be another one.
    """
    if not quoted and re.search(r"\s[#;]", text):
        return (
            "what stands behind the blank would become part of the path, because systemd knows no "
            "comment behind a value; move the comment to a line of its own"
        )
    too_long = len(text) > _PATH_MAX or any(
        len(name.encode(errors="replace")) > _NAME_MAX for name in text.split("/")
    )
    if too_long:
        return "it is longer than a file system takes; write a shorter path"
    return next((problem for pattern, problem in _PROBLEMS if re.search(pattern, text)), None)
