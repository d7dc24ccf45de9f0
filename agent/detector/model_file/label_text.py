"""Reads the label lists of other tools. Pure: a text in, labels out.

    person                   one label a line (Darknet's obj.names, classes.txt)
    - person                 a list of YAML
    0: person   0  person    with numbers (Ultralytics, Coral), in any order; gaps become `N/A`
    person: 0                the other direction
    ['person', 'car']        a Python or JSON list, or a dictionary in either direction
    names: [person, car]     data.yaml, in all of its forms
    id,name                  a CSV file with a header
    item { id: 1 name: 'x' } the label map of TensorFlow

A text in another form is refused: a line that is taken for a label by mistake would be in every
record. Numbers that are given must be class ids.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import yaml

from agent.detector.model_file.words import LONGEST_TEXT, MOST_LABELS, labels_of, literal
from agent.printable import printable

GAP = "N/A"
"""The label of a class id that a list leaves out; `class_ids.label_table` gives it no meaning."""

NAME_KEYS = ("names", "id2label", "label2id", "labels", "classes", "class_names", "label_list")
LONGEST_LINE = 100_000  # characters; a list on one line may be long

_ID_COLUMNS = (
    "id",
    "index",
    "class_id",
    "classid",
    "class id",
    "class_index",
    "label_id",
    "category_id",
    "number",
    "idx",
)
_NAME_COLUMNS = (
    "name",
    "label",
    "class_name",
    "classname",
    "class name",
    "display_name",
    "label_name",
    "category_name",
    "category",
    "class",
)
_NUMBERED = re.compile(r"(\d{1,6})(?:\s*[:=,;|)]\s*|\.\s+|\s+-\s+|\s+)(\S.*)", re.ASCII)
_NUMBER_LAST = re.compile(r"(.{1,2000}?)\s*[:=,;]\s*(\d{1,6})", re.ASCII)
_ITEM = re.compile(r"item\s*:?\s*\{((?:[^{}'\"]|'[^']*'|\"[^\"]*\")*)\}")
_ITEM_FIELD = re.compile(r"(\w+)\s*:\s*('[^']*'|\"[^\"]*\"|-?\d{1,6})")
_SETTING = re.compile(r"[\w.-]+\s*[:=](?:\s.*)?")
_NAMES_KEY = re.compile(rf"""['"]?(?:{"|".join(NAME_KEYS)})['"]?\s*:(?:\s+(\S.*))?""")
_SYNSET = re.compile(r"n\d{8}[\s:,]+(\S.*)")
_COMMENT = re.compile(r"\S\s+#(?:\s|$)")
_ASSIGNED = re.compile(r"\w+\s*=\s*[\[({].*")
_STRUCTURE = ("[", "]", "{", "}", "<", "(", "- ")
_COLUMNS = (re.compile(r"\S\t+\S"), re.compile(r",(?=\S)"), re.compile(r";(?=\S)"))
_QUOTED = re.compile(r"""(['"])(.*)\1,?""")


@dataclass(frozen=True, slots=True)
class LabelList:
    """The labels of a text."""

    labels: tuple[str, ...]
    first: int | None = None  # the class id of the first label; None if the text has no numbers


def labels_in_text(text: str) -> LabelList:
    """Return the labels in a text, without ImageNet's numbers (`n01440764 tench`).

    Raises:
        ValueError: It is none of the forms above; the message says what is wrong.
    """
    found = _labels_in_text(text)
    named = [_SYNSET.fullmatch(label) for label in found.labels]
    if not all(named):
        return found
    return LabelList(labels_of(each[1] for each in named if each), found.first)


def _labels_in_text(text: str) -> LabelList:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"it is longer than {LONGEST_TEXT} characters")
    if "\0" in text:
        raise ValueError("it is not a text")
    text = text.removeprefix("\ufeff").strip()
    if text[:1] in ("[", "{"):
        return _from_value(_parsed(text))
    if _ITEM.match(_without_comments(text)):
        return _from_items(text)
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith(("# ", "#!", "---", "%YAML"))]
    if not lines:
        raise ValueError("it has no labels")
    if len(lines) > 1 and max(map(len, lines)) > LONGEST_LINE:
        raise ValueError(f"it has a line of more than {LONGEST_LINE} characters")
    found = _from_yaml(text, lines) or _from_csv(lines)
    return found or _from_lines([line.strip() for line in lines])


def _parsed(text: str) -> object:
    """Parse JSON, or a Python literal."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return literal(text)
    return value


def _from_value(value: object) -> LabelList:
    """Return the labels of a parsed list or dictionary."""
    if isinstance(value, dict):
        for key in NAME_KEYS:
            if isinstance(value.get(key), dict | list):
                return _from_value(value[key])
        if isinstance(value.get("categories"), list):  # COCO's annotations
            return _from_value(value["categories"])
        return _from_mapping(value)
    if not isinstance(value, list) or not value:
        raise ValueError("it has no list of labels")
    if all(isinstance(each, dict) for each in value):
        return _from_rows(value)
    return LabelList(labels_of(value))


def _from_mapping(value: Mapping[object, object]) -> LabelList:
    """Return the labels of a dictionary from class ids to labels, or from labels to class ids."""
    return _from_pairs(list(value.items()))


def _from_pairs(pairs: Sequence[tuple[object, object]]) -> LabelList:
    try:
        return _by_id((_class_id(key), _without_synset(label)) for key, label in pairs)
    except ValueError:
        if any(_is_class_id(key) for key, _ in pairs):
            raise
    return _by_id((_class_id(number), label) for label, number in pairs)


def _without_synset(value: object) -> object:
    """Return the name of an entry of ImageNet's class index, `["n01440764", "tench"]`."""
    is_pair = isinstance(value, list) and len(value) == 2  # noqa: PLR2004  # synset and name
    if is_pair and isinstance(value, list) and re.fullmatch(r"n\d{8}", str(value[0])[:10]):
        return value[1]
    return value


def _from_rows(rows: Sequence[Mapping[str, object]]) -> LabelList:
    """Return the labels of rows with an id and a name."""
    if not rows:
        raise ValueError("it has no labels")
    pairs = []
    for row in rows:
        lower = {str(key).strip().lower(): value for key, value in row.items() if key is not None}
        id_key = next((key for key in _ID_COLUMNS if key in lower), None)
        name_key = next((key for key in _NAME_COLUMNS if key in lower), None)
        if name_key is None:
            raise ValueError("an entry has no name")
        pairs.append((None if id_key is None else lower[id_key], lower[name_key]))
    if all(number is None for number, _ in pairs):
        return LabelList(labels_of(name for _, name in pairs))
    return _by_id((_class_id(number), name) for number, name in pairs)


def _is_class_id(value: object) -> bool:
    try:
        _class_id(value)
    except ValueError:
        return False
    return True


def _class_id(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,6}\s*", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_LABELS:
        raise ValueError(f"'{printable(value, 40)}' is not a class number")
    return value


def _by_id(pairs: Iterable[tuple[int, object]]) -> LabelList:
    """Return labels in the order of their class ids; gaps become `GAP`."""
    by_id: dict[int, object] = {}
    for number, label in pairs:
        if number in by_id:
            raise ValueError(f"the class number {number} comes twice")
        by_id[number] = label
    if not by_id:
        raise ValueError("it has no labels")
    first = min(by_id)
    if first > 1:
        raise ValueError(f"its class numbers begin at {first}, not at 0 or 1")
    if max(by_id) >= 2 * len(by_id) + 1:  # COCO's own numbers have ten gaps in ninety
        raise ValueError("its class numbers have too many gaps")
    numbers = range(first, max(by_id) + 1)
    return LabelList(labels_of(by_id.get(number, GAP) for number in numbers), first)


def _without_comments(text: str) -> str:
    return re.sub(r"(?m)^\s*#.*$", "", text).strip()


def _from_items(text: str) -> LabelList:
    """Return the labels of TensorFlow's label map."""
    text = _without_comments(text)
    if _ITEM.sub("", text).strip():
        raise ValueError("a part of the label map is not understood")
    pairs = []
    for item in _ITEM.finditer(text):
        fields = {key: value.strip("'\"") for key, value in _ITEM_FIELD.findall(item[1])}
        label = fields.get("display_name") or fields.get("name")
        if label is None or "id" not in fields:
            raise ValueError("an item of the label map has no id or no name")
        pairs.append((_class_id(fields["id"]), label))
    return _by_id(pairs)


def _from_yaml(text: str, lines: Sequence[str]) -> LabelList | None:
    """Return the labels of a YAML text: a list, or what `names:` holds; None if it has neither."""
    is_list = all(line.startswith("- ") for line in lines)
    heads = [found for line in lines if (found := _NAMES_KEY.fullmatch(line))]
    if not heads and not is_list:
        return None
    if len(heads) > 1:
        raise ValueError("it has several lists of labels")
    if heads and heads[0][1]:
        try:
            return _from_value(literal(heads[0][1]))  # `{0:'a'}`, which YAML reads as one word
        except ValueError:
            pass
    root = _yaml_root(text)
    if isinstance(root, yaml.MappingNode):
        root = next((value for key, value in root.value if key.value in NAME_KEYS), None)
    if isinstance(root, yaml.SequenceNode):
        return LabelList(labels_of(_scalar(node) for node in root.value))
    if isinstance(root, yaml.MappingNode):
        return _from_pairs([(_scalar(key), _scalar(value)) for key, value in root.value])
    if root is not None and root.value:
        raise ValueError(f"'{printable(root.value, 40)}' is a setting, not a list of labels")
    raise ValueError("there is nothing under `names:`")


def _yaml_root(text: str) -> yaml.Node | None:
    try:  # the nodes keep each word as it is written: `no`, `1.50`, a key that comes twice
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"it is not valid YAML: {printable(error)}") from error
    return root


def _scalar(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("a label is not a text")  # noqa: TRY004  # an error of the file
    return str(node.value)


def _from_csv(lines: Sequence[str]) -> LabelList | None:
    """Return the labels of a CSV text with a header; None if the first line is no header."""
    for separator in ",;\t":
        header = [cell.strip().strip("\"'").lower() for cell in lines[0].split(separator)]
        if len(header) == 1:
            continue
        if header[0] in _ID_COLUMNS and not set(header) & set(_NAME_COLUMNS):
            raise ValueError("its header has no column such as `name`")
        if any(cell in _NAME_COLUMNS for cell in header):
            rows = csv.DictReader(lines, delimiter=separator, skipinitialspace=True)
            try:
                return _from_rows(list(rows))
            except csv.Error as error:
                raise ValueError(f"it is not valid CSV: {error}") from error
    return None


def _from_lines(lines: Sequence[str]) -> LabelList:
    """Return the labels of lines that have one label each, or one line with several."""
    _require_no_comment(lines)
    if len(lines) > 1 and all(line.endswith(",") for line in lines[:-1]):
        lines = [line.removesuffix(",").rstrip() for line in lines]
    readers: tuple[Callable[[Sequence[str]], LabelList | None], ...] = (
        _numbered,
        _number_last,
        _quoted_lines,
    )
    for read in readers:
        found = read(lines)
        if found is not None:
            return found
    if len(lines) == 1 and "," in lines[0] and not _ASSIGNED.fullmatch(lines[0]):
        return LabelList(
            labels_of(part.strip(" \t'\"") for part in lines[0].rstrip(",").split(","))
        )
    for number, line in enumerate(lines, start=1):
        if (
            line.startswith(_STRUCTURE)
            or line.endswith(("[", "{", "("))
            or _ASSIGNED.fullmatch(line)
        ):
            raise ValueError(f"line {number}, '{printable(line, 40)}', is not understood")
    if len(lines) > 1 and any(all(mark.search(line) for line in lines) for mark in _COLUMNS):
        raise ValueError("it has several columns, but no header such as `id,name`")
    if all(_SETTING.fullmatch(line) for line in lines):
        raise ValueError(f"line 1, '{printable(lines[0], 40)}', is a setting, not a label")
    return LabelList(labels_of(lines))


def _require_no_comment(lines: Sequence[str]) -> None:
    for number, line in enumerate(lines, start=1):
        if _COMMENT.search(line):
            raise ValueError(
                f"line {number}, '{printable(line, 40)}', seems to end in a comment; remove it, or "
                "write the labels as a JSON list"
            )


def _numbered(lines: Sequence[str]) -> LabelList | None:
    """Return the labels after the number on each line; None if a line has none."""
    found = [_NUMBERED.fullmatch(line) for line in lines]
    pairs = [(int(each[1]), _unquoted(each[2])) for each in found if each]
    if len(pairs) == len(lines):
        if all(re.match(r"\d+\s*[,;\t].*[,;\t]", line) for line in lines):
            raise ValueError("it has more than two columns, but no header such as `id,name`")
        return _by_id(pairs)
    if len(pairs) > 1 and len(pairs) > len(lines) / 2:
        missing = next(number for number, each in enumerate(found) if each is None)
        raise ValueError(
            f"line {missing + 1}, '{printable(lines[missing], 40)}', has no number, but others have"
        )
    return None


def _number_last(lines: Sequence[str]) -> LabelList | None:
    found = [_NUMBER_LAST.fullmatch(line) for line in lines]
    pairs = [(int(each[2]), _unquoted(each[1])) for each in found if each]
    return _by_id(pairs) if len(pairs) == len(lines) else None


def _quoted_lines(lines: Sequence[str]) -> LabelList | None:
    found = [_QUOTED.fullmatch(line) for line in lines]
    texts = [each[2] for each in found if each]
    return LabelList(labels_of(texts)) if len(texts) == len(lines) else None


def _unquoted(text: str) -> str:
    found = _QUOTED.fullmatch(text)
    return found[2] if found else text
