"""Label lists of other tools mean the same in each of their forms; others are refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detector.formats.contract import ClassNumbering, Layout
from agent.detector.model_file.label_text import labels_in_text
from agent.detector.model_file.labels import find_labels, fitting_labels
from agent.errors import ModelUnusable
from tests.search import examples

TWO = ("cat", "traffic light")
DATA_YAML = """\
# a dataset
path: ../datasets/x  # of the camera
train: images/train
nc: 2
names:
  0: cat  # the grey one
  1: 'traffic light'
download: null
"""
PBTXT = """\
# made by hand
item {
  name: "/m/01yrx"
  id: 1
  display_name: "cat"
}
item {
  id: 2
  name: 'traffic light'
}
"""


@pytest.mark.parametrize(
    "text",
    [
        "cat\ntraffic light\n",
        "\ufeffcat\r\ntraffic light\r\n",
        "cat\n\ntraffic light",
        "0  cat\n1  traffic light\n",
        "0: cat\n1: traffic light",
        "0:cat\n1:traffic light",
        "0,cat\n1,traffic light",
        "0\tcat\n1\ttraffic light",
        "0 = cat\n1 = traffic light",
        "0. cat\n1. traffic light",
        "0) cat\n1) traffic light",
        "0 - cat\n1 - traffic light",
        "0|cat\n1|traffic light",
        '{"0": ["n02123045", "cat"], "1": ["n06874185", "traffic light"]}',
        "1: traffic light\n0: cat",
        "cat: 0\ntraffic light: 1",
        "cat,0\ntraffic light,1",
        "cat=0\ntraffic light=1",
        "1 cat\n2 traffic light",
        "- cat\n- traffic light",
        "- cat\n- 'traffic light'",
        "'cat',\n'traffic light'",
        "cat,\ntraffic light,",
        "cat, traffic light",
        "['cat', 'traffic light']",
        '["cat", "traffic light"]',
        "['cat',\n 'traffic light',\n]",
        "('cat', 'traffic light')".replace("(", "[").replace(")", "]"),
        "{0: 'cat', 1: 'traffic light'}",
        '{"0": "cat", "1": "traffic light"}',
        '{"cat": 0, "traffic light": 1}',
        "{'traffic light': 1, 'cat': 0}",
        '{"names": ["cat", "traffic light"]}',
        '{"id2label": {"0": "cat", "1": "traffic light"}, "label2id": {"cat": 0}}',
        '{"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "traffic light"}]}',
        '[{"name": "cat", "color": "#fff"}, {"name": "traffic light"}]',
        DATA_YAML,
        "names: [cat, traffic light]\nnc: 2",
        "names: ['cat', \"traffic light\"]  # two",
        "names: [cat,\n  traffic light]\nnc: 2",
        "names: {0: cat, 1: traffic light}",
        "names:\n- cat\n- traffic light\nnc: 2",
        "names:\n  - cat\n  - traffic light",
        "names:\n  cat: 0\n  traffic light: 1",
        "names: &all [cat, traffic light]\nvalid: *all",
        "'names':\n    '0': 'cat'\n    '1': 'traffic\n      light'",
        'names:\n- "c\\x61t"  # an escape\n\n# between\n- traffic light',
        "names: {0:'cat',1:'traffic light'}",
        "- cat  # first\n- traffic light",
        "n02123045 cat\nn06874185 traffic light",
        "0 n02123045 cat\n1 n06874185 traffic light",
        "label_list:\n- cat\n- traffic light\nmode: paddle",
        "id,name\n0,cat\n1,traffic light",
        "index;label\n1;traffic light\n0;cat",
        'class_name,class_id,color\n"cat",0,red\n"traffic light",1,blue',
        PBTXT,
    ],
)
def test_each_form_of_a_list_gives_the_same_labels(text: str) -> None:
    assert labels_in_text(text).labels == TWO


@pytest.mark.parametrize(
    ("text", "labels", "first"),
    [
        ("0  person\n2  car", ("person", "N/A", "car"), 0),
        ("item { id: 1 name: 'a' } item { id: 3 name: 'b' }", ("a", "N/A", "b"), 1),
        ("1: a\n2: b", ("a", "b"), 1),
        ("???\nperson", ("???", "person"), None),
        ("background\nperson", ("background", "person"), None),
        ("men's\nwomen's", ("men's", "women's"), None),
        ("3d printer\nscanner", ("3d printer", "scanner"), None),
        ("0\n1\n2", ("0", "1", "2"), None),
        ("person [adult]\nperson (child)", ("person [adult]", "person (child)"), None),
        ("C# book\n#1", ("C# book", "#1"), None),
        ("Straße\n人\nعربة", ("Straße", "人", "عربة"), None),
        ("person\tadult", ("person adult",), None),
        ('["\\ud83d\\ude00"]', ("\U0001f600",), None),
        ("names: [C# book, 'a # b']  # end", ("C# book", "a # b"), None),
    ],
)
def test_lists_with_particular_entries(
    text: str, labels: tuple[str, ...], first: int | None
) -> None:
    found = labels_in_text(text)

    assert (found.labels, found.first) == (labels, first)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no labels"),
        ("[]", "no list of labels"),
        ("{}", "no labels"),
        ("[1.5, 2.5]", "label 0 is not a text"),
        ("['cat', ['dog']]", "label 1 is not a text"),
        ("['cat' 'dog']", "a comma is missing"),
        ("['cat'", "missing"),
        ("['cat'] and more", "not understood"),
        ('{"path": "x", "train": "y"}', "not a class number"),
        ("0: cat\n0: dog", "the class number 0 comes twice"),
        ("0: cat\ndog\n2: hen", "line 2, 'dog', has no number"),
        ("5: cat\n6: dog", "begin at 5"),
        ("0: cat\n99: dog", "too many gaps"),
        ("path: x\ntrain: images", "line 1, 'path: x', is a setting"),
        ("classes = 2\ntrain = train.txt\nnames = obj.names", "a setting"),
        ("names: obj.names", "'obj.names' is a setting"),
        ("cat # first\ndog", "line 1, 'cat # first', seems to end in a comment"),
        ("0: cat\n1: dog # 2", "line 2, '1: dog # 2', seems to end in a comment"),
        ("CLASSES = ('cat', 'dog')", "is not understood"),
        ("0\tcat\tblue\n1\tdog\tred", "more than two columns"),
        ("names: [*a, dog]", "not valid YAML"),
        ("names: [[cat], dog]", "a label is not a text|label 0 is not a text"),
        ("names:\n  0: cat\n  0: dog", "the class number 0 comes twice"),
        ("names:\n\nnc: 2", "nothing under `names:`"),
        ("names: [a]\nnames: [b]", "several lists"),
        ("<html>\n<body>", "line 1, '<html>', is not understood"),
        ("cat\nitem {\n", "line 2, 'item {', is not understood"),
        ("item { id: 1 name: 'a' } rest", "a part of the label map is not understood"),
        ("item { id: 1 }", "no id or no name"),
        ("id,color\n0,red", "its header has no column such as"),
        ("0,cat,red\n1,dog,blue", "more than two columns"),
        ("/m/01g317,Person\n/m/0k4j,Car", "several columns"),
        ("n01\tcat\nn02\tdog", "several columns"),
        ("id,name\n0,cat\n1", "label 1 is not a text"),
        ("cat\x1b[31m\ndog", r"label 0, 'cat\\x1b\[31m', has control characters"),
        ("cat\u202egod", r"cat\\u202egod"),
        ('["ca\\ud800t"]', r"'ca\\ud800t', has control characters"),
        ("x" * 300, "is too long"),
        ("cat\0", "not a text"),
        ("[" * 5000, "nested too deeply|a value is missing"),
        ("{0: 0x" + "F" * 6000 + "}", "not understood"),
        ("[" + "9" * 6000 + "]", "not understood|not a text"),
        ("[" + "'a'," * 60_000 + "]", "more than 50000 labels"),
    ],
    ids=lambda value: value[:25],
)
def test_a_text_that_is_not_understood_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        labels_in_text(text)

    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


def labels_or_error(text: str) -> tuple[tuple[str, ...], str]:
    try:
        return labels_in_text(text).labels, ""
    except ValueError as error:
        return (), str(error)


FORMS = st.sampled_from(
    ["names:", "item {", "}", "id: 1", "name: 'a'", "- ", "0: ", "[", "]", "{", ",", ":", "\n", "'",
     '"', "\\", "\\ud800", "#", "cat", "1", " ", "\t", "id,name", "\x1b[0m"]
)  # fmt: skip


@settings(deadline=None, max_examples=examples(400))
@given(st.one_of(st.text(max_size=200), st.lists(FORMS, max_size=40).map("".join)))
def test_any_text_gives_clean_labels_or_one_error(text: str) -> None:
    labels, error = labels_or_error(text)

    assert error.isprintable()
    assert len(error) < 400
    assert bool(labels) is not bool(error)
    for label in labels:
        label.encode()
        assert 0 < len(label) <= 200
        assert not {"\x1b", "\n", "\r", "\0"} & set(label)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=20,
    )
)
def test_any_json_gives_labels_or_one_error(value: object) -> None:
    for text in (json.dumps(value), repr(value)):
        assert labels_or_error(text)[1].isprintable()


def fitted(tmp_path: Path, setting: str, layout: Layout) -> tuple[str, ...]:
    model = tmp_path / "m.onnx"
    found = find_labels(setting, from_model=None, model=model)
    return fitting_labels(found, layout, model)


@pytest.mark.parametrize(
    "setting",
    [
        "['cat', 'dog']",
        '{"0": "cat", "1": "dog"}',
        "{'cat': 0, 'dog': 1}",
        "names: [cat, dog]",
        "0: cat, 1: dog",
        "0:cat 1:dog",
        "1=dog 0=cat",
        "  ['cat', 'dog']  ",
    ],
)
def test_the_setting_itself_may_have_such_a_form(tmp_path: Path, setting: str) -> None:
    assert fitted(tmp_path, setting, Layout((0,), 2)) == ("cat", "dog")


@pytest.mark.parametrize(
    ("layout", "labels"),
    [
        (Layout((0,), 2), ("a", "b")),
        (Layout((0,), 3), ("N/A", "a", "b")),
        (Layout((0,), 3, ClassNumbering.FROM_ONE), ("a", "b")),
        (Layout((0,), None, ClassNumbering.FROM_ONE), ("a", "b")),
    ],
)
def test_numbers_from_one_are_class_ids_where_the_model_says_so(
    tmp_path: Path, layout: Layout, labels: tuple[str, ...]
) -> None:
    assert fitted(tmp_path, "1: a, 2: b", layout) == labels


def test_numbers_from_one_are_unclear_where_the_model_has_no_count(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"begin at 1, .* 0 or 1; number them from 0"):
        fitted(tmp_path, "1: a, 2: b", Layout((0,), None))


def test_a_header_of_one_column_is_not_a_label(tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text("name\ncat\ndog\n")

    assert fitted(tmp_path, "auto", Layout((0,), 2)) == ("cat", "dog")
    assert fitted(tmp_path, "auto", Layout((0,), 3)) == ("name", "cat", "dog")


@pytest.mark.parametrize(("classes", "offered"), [(2, False), (79, False), (80, True)])
def test_coco_is_offered_only_to_a_model_of_its_size(
    tmp_path: Path, classes: int, *, offered: bool
) -> None:
    with pytest.raises(ModelUnusable) as refused:
        fitted(tmp_path, "cat", Layout((0,), classes))

    assert ("coco for the 80" in str(refused.value)) is offered


@pytest.mark.parametrize("name", ["data.yaml", "labels.json", "obj.names", "map.pbtxt", "a.csv"])
def test_a_missing_file_of_any_kind_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelUnusable, match=rf"cannot read the labels {name}: No such file"):
        fitted(tmp_path, name, Layout((0,), 2))
