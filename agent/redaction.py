"""Masks secrets in every text that may be shown: log fields, messages, reports."""

import re

MASK = "***"
_CREDENTIALS = re.compile(r"(?<=://)\S*@")  # a password may hold an @: up to the last one
_WORDS = (
    r"(?:api[_-]?key|access[_-]?key|token|passw(?:or)?d|passphrase|pwd|secret|signature"
    r"|credential|auth(?:orization)?|(?<=[?&])(?:key|sig|pass|pw|session))s?"
)
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
SECRET_NAME = re.compile(rf"(?i)(?:.*[_.-])?{_WORDS}")
# The name of a setting before a colon begins a message: `AGENT_UPLOAD_TOKEN: must be ...`.
_KEY_VALUE = re.compile(
    rf"(?i)((?<![\w.-])(?!AGENT_\w+:\s)(?:[\w.-]*[_.-])?{_WORDS}[\"']?\s*[=:]\s*)"
    rf"(?:\*{{3}}(?!\w)|{_QUOTED}|(?:(?!&[\w.%-]+=)\S)+)"
)
_HEADER = re.compile(rf"(?i)(\bauthorization[\"']?\s*[=:]\s*)(?:{_QUOTED}|[^\n]+)")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"']{4,}")


def redact(text: str) -> str:
    """Mask what must not be printed: user and password of URLs, tokens, keys.

    Masks too much rather than too little.
    """
    text = _CREDENTIALS.sub(f"{MASK}@", text)
    text = _HEADER.sub(rf"\1{MASK}", text)
    text = _KEY_VALUE.sub(rf"\1{MASK}", text)
    return _BEARER.sub(rf"\1 {MASK}", text)
