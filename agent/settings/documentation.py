"""What a setting's declaration says besides its type, default and bounds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """The texts of one setting: part of its declaration, as metadata of its annotation.

    The error messages, the env file, the README and docs/settings.md are made from it.
    """

    meaning: str
    example: str  # a value that the setting takes, as it stands in the env file
    effect: str  # what another value changes, and what it costs
    group: str = ""  # title, where the setting is the first of a group
    default: str | None = None  # in words, where the value itself does not tell
    allowed: str | None = None  # in words, where type and bounds do not tell
    choices: tuple[str, ...] = ()  # words that a near miss is compared with
    kind: str = ""  # sort of value in a word or two, where the type does not tell
    placeholder: str = ""  # value in the env file of a required setting
