"""Any tree of files and any choice of sources in it: each image once, in one order."""

import os
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.pool.sources.item_list import ItemGroup, ItemList
from agent.pool.sources.kinds import kind_of
from agent.pool.sources.listing import list_items
from tests.search import examples

NAMES = st.sampled_from(
    [*("a", "a-b", "a.b", "A", "é", ".hidden", "images", "clips", "x y", "a.jpg", "labels")]
)
FILES = st.sampled_from(
    ["1.jpg", "2.JPG", "a.png", "a-b.mp4", "z.txt", ".h.jpg", "jpg", "a", "é.webp", "a.b.gif", "q."]
)
PATHS = st.builds(
    lambda folders, name: "/".join([*folders, name]), st.lists(NAMES, max_size=4), FILES
)
TREES = st.lists(PATHS, min_size=1, max_size=25)


def plant(root: Path, paths: list[str]) -> None:
    for path in paths:
        place = root / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"x")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # one path of the tree is the folder of another


def wanted(root: Path) -> list[str]:
    """What a plain walk finds."""
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            inside = PurePath(os.path.relpath(path, root))
            is_hidden = any(part.startswith(".") for part in inside.parts)
            if kind_of(name) is not None and not is_hidden and not path.is_symlink():
                found.append(str(path))
    return sorted(found)


@settings(max_examples=examples(60))
@given(TREES, st.lists(st.tuples(st.integers(), st.integers()), max_size=4), st.data())
def test_each_image_of_any_tree_is_listed_once_whatever_the_sources(
    paths: list[str], links: list[tuple[int, int]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as made:
        root = Path(made).resolve() / "pool"
        plant(root, ["top.jpg", *paths])
        folders = [Path(folder) for folder, _, _ in os.walk(root)]
        expected = wanted(root)
        for number, (place, target) in enumerate(links):
            link = folders[place % len(folders)] / f"link-{number}"
            link.symlink_to(folders[target % len(folders)])
        visible = [each for each in folders if "/." not in str(each)[len(str(root)) :]]
        inner = data.draw(st.lists(st.sampled_from([*map(str, visible), *expected]), max_size=4))
        sources = data.draw(st.permutations([str(root), *inner]))
        sources = [each for each in sources if Path(each).is_file() or wanted(Path(each))]

        items = list_items(sources).items

        assert [item.key for item in items] == expected
        assert list(items) == list(list_items([str(root)]).items)
        for item in items:
            inside = PurePath(os.path.relpath(item.key, root))
            own = inside if item.kind == "recording" else inside.parent
            assert item.camera == (str(own) if own != PurePath() else "pool")


ITEMS = st.lists(
    st.tuples(
        st.integers(0, 3), st.text(min_size=1), st.integers(0, 2**40), st.integers(0, 2**64 - 1)
    ),
    max_size=30,
)


@given(ITEMS)
def test_a_list_of_items_gives_back_what_was_added(added: list[tuple[int, str, int, int]]) -> None:
    kinds = [kind_of("a.jpg"), kind_of("a.mp4")]
    groups = [ItemGroup(f"/{n}/", kind, "c") for n in range(2) for kind in kinds if kind]
    items = ItemList()
    for group, name, size, version in added:
        key = groups[group].prefix + name.encode(errors="replace").decode()
        items.add(key, groups[group], size, version)

    expected = [
        groups[group].item(name.encode(errors="replace").decode(), size, version)
        for group, name, size, version in added
    ]

    assert list(items) == [items[n] for n in range(len(items))] == expected
    assert items[1:7:2] == expected[1:7:2]
    assert items[-3:] == expected[-3:]
