"""Folders, files and dataset folders become items, each of them once."""

import os
from pathlib import Path

import pytest

from agent.errors import ConfigurationError
from agent.pool.items import ItemKind
from agent.pool.sources.listing import Listing, list_items
from tests.fakes.captures import capture_id
from tests.pool.sources.trees import with_captures, with_delivered, with_files

IMAGE, CAPTURE, RECORDING = ItemKind.IMAGE, ItemKind.CAPTURE, ItemKind.RECORDING


def listed(*sources: Path | str, output: Path | str = "") -> Listing:
    return list_items([f"{source}" for source in sources], output=f"{output}")


def cameras(listing: Listing, root: Path) -> dict[str, str]:
    """Cameras by the paths of items below `root`."""
    return {os.path.relpath(item.key, root): item.camera for item in listing.items}


def test_images_and_recordings_are_found_in_any_depth(tmp_path: Path) -> None:
    root = with_files(
        tmp_path / "yard",
        *("b.JPG", "gate/1.png", "gate/2.webp", "gate/night/3.tif", "gate-2/4.bmp", "street.mp4"),
        *("gate/lane.MKV", "notes.txt", "gate/list.csv", "README", ".hidden.jpg", ".git/x.jpg"),
    )

    listing = listed(root)

    assert cameras(listing, root) == {
        "b.JPG": "yard",
        "gate-2/4.bmp": "gate-2",
        "gate/1.png": "gate",
        "gate/2.webp": "gate",
        "gate/lane.MKV": "gate/lane.MKV",
        "gate/night/3.tif": "gate/night",
        "street.mp4": "street.mp4",
    }
    (source,) = listing.sources
    assert source.items == {IMAGE: 5, RECORDING: 2}
    assert source.passed_over == {".txt": 1, ".csv": 1, "no suffix": 1, "hidden": 2}
    assert source.line() == (
        f"{root}: 5 images, 2 recordings; passed over 2 hidden, 1 .csv, 1 .txt, 1 others"
    )


def test_items_are_sorted_by_key_with_sources_in_any_order(tmp_path: Path) -> None:
    names = ["a/x.jpg", "a-b/x.jpg", "a.b/x.jpg", "a b/x.jpg", "a0.jpg", "a/é.jpg", "Z.jpg"]
    one, two = with_files(tmp_path / "one", *names), with_files(tmp_path / "o", *names)

    keys = [item.key for item in listed(one, two).items]

    assert keys == sorted(keys)
    assert keys == [item.key for item in listed(two, one).items]
    assert len(keys) == 2 * len(names)


def test_a_file_that_is_replaced_is_another_version(tmp_path: Path) -> None:
    root = with_captures(tmp_path / "dev-1", 1, 2)
    with_files(tmp_path, "a/1.jpg", "a/2.mp4", "a/3.jpg")

    def versions() -> dict[str, int]:
        return {
            os.path.relpath(item.key, tmp_path): item.version for item in listed(tmp_path).items
        }

    first = versions()
    (tmp_path / "a" / "1.jpg").write_bytes(b"longer than it was")
    os.utime(tmp_path / "a" / "2.mp4", ns=(1, 1))
    os.utime(root / "records" / f"{capture_id(2)}.json", ns=(1, 1))
    second = versions()

    assert 0 not in first.values()
    assert {name for name in first if first[name] != second[name]} == {
        "a/1.jpg",
        "a/2.mp4",
        f"dev-1/images/{capture_id(2)}.jpg",
    }
    one = listed(root / "images" / f"{capture_id(2)}.jpg").items[0]
    assert one.version == second[f"dev-1/images/{capture_id(2)}.jpg"]


def test_a_dataset_folder_gives_its_captures_alone(tmp_path: Path) -> None:
    root = with_captures(tmp_path / "dev-1", 1, 2)
    with_captures(root / "pose-17", 3)
    with_files(root, f"clips/{capture_id(1)}/1.jpg", "classes/car/x.jpg", "unclassified/y.jpg")

    listing = listed(root)

    assert [(item.kind, item.camera) for item in listing.items] == [
        (CAPTURE, "dev-1"),
        (CAPTURE, "dev-1"),
        (CAPTURE, "pose-17"),
    ]
    assert set(listing.sources[0].passed_over) == {"of the agent", "hidden"}
    for item, number in zip(listing.items, (1, 2, 3), strict=True):
        assert Path(item.key).name == f"{capture_id(number)}.jpg"
        assert Path(item.record).name == f"{capture_id(number)}.json"
        assert Path(item.key).is_file()
        assert Path(item.record).is_file()


def test_a_folder_of_dataset_folders_is_a_fleet(tmp_path: Path) -> None:
    with_captures(tmp_path / "fleet/dev-1", 1)
    with_captures(tmp_path / "fleet/dev-2", 2)
    with_files(tmp_path / "fleet", "extra/3.jpg")

    assert [(item.kind, item.camera) for item in listed(tmp_path / "fleet").items] == [
        (CAPTURE, "dev-1"),
        (CAPTURE, "dev-2"),
        (IMAGE, "extra"),
    ]


def test_a_capture_without_record_is_an_image_and_a_record_alone_is_named(tmp_path: Path) -> None:
    root = with_captures(tmp_path / "d", 1, 2, 3)
    (root / f"records/{capture_id(2)}.json").unlink()
    (root / f"images/{capture_id(3)}.jpg").unlink()

    listing = listed(root)

    assert [item.kind for item in listing.items] == [CAPTURE, IMAGE]
    (source,) = listing.sources
    assert source.without_record == 1
    assert source.problem_count == 1
    record = root / f"records/{capture_id(3)}.json"
    assert source.problems[0] == f"{record}: the image of this record is missing"


def test_a_copy_of_a_bucket_has_the_captures_of_its_devices(tmp_path: Path) -> None:
    root = tmp_path / "fleet"
    first = with_delivered(root / "a/2026-01-01", 1, 2, 3)
    with_delivered(root / "b/2026-01-02", 4)
    (first / f"{capture_id(2)}.jpg").unlink()
    (first / f"{capture_id(3)}.json").unlink()

    listing = listed(root)

    found = [(item.kind, item.camera) for item in listing.items]
    assert found == [(CAPTURE, "a"), (IMAGE, "a/2026-01-01"), (CAPTURE, "b")]
    assert listing.items[0].record == f"{first / capture_id(1)}.json"
    (source,) = listing.sources
    assert (source.without_record, dict(source.passed_over)) == (1, {})
    missing = first / f"{capture_id(2)}.json"
    assert source.problems == [f"{missing}: the image of this record is missing"]
    for given in (root / "a", first, first / f"{capture_id(1)}.jpg"):
        assert listed(given).items[0] == listing.items[0]


def test_records_without_images_in_other_folders_are_other_files(tmp_path: Path) -> None:
    root = with_files(tmp_path / "yard", "1.jpg", f"{capture_id(1)}.json")

    (source,) = listed(root).sources

    assert (source.problem_count, dict(source.passed_over)) == (0, {".json": 1})


def test_the_images_folder_of_a_dataset_gives_captures_too(tmp_path: Path) -> None:
    root = with_captures(tmp_path / "d", 1)
    whole = listed(root).items[0]

    assert listed(root / "images").items[0] == whole
    assert listed(whole.key).items[0] == whole


def test_files_given_one_by_one_have_the_cameras_of_their_folder(tmp_path: Path) -> None:
    root = with_files(tmp_path / "yard", "1.jpg", "2.jpg", "street.mp4")

    one_by_one = listed(*sorted(root.iterdir()))

    assert list(one_by_one.items) == list(listed(root).items)
    assert one_by_one.sources[0].line() == "3 files: 2 images, 1 recording"


def test_cameras_of_several_sources_are_told_apart(tmp_path: Path) -> None:
    one = with_files(tmp_path / "a" / "photos", "1.jpg", "gate/2.jpg")
    two = with_files(tmp_path / "b" / "photos", "1.jpg", "gate/2.jpg", "night.mp4")
    three = with_files(tmp_path / "yard", "gate/2.jpg")
    single = with_files(tmp_path / "c" / "photos", "4.jpg")

    listing = listed(one, two, three, single / "4.jpg")

    assert [item.camera for item in listing.items] == [
        "a/photos",
        "a/photos/gate",
        "b/photos",
        "b/photos/gate",
        "b/photos/night.mp4",
        "c/photos",
        "yard/gate",
    ]


def test_recordings_of_several_folders_are_told_apart(tmp_path: Path) -> None:
    one = with_files(tmp_path / "monday", "street.mp4")
    two = with_files(tmp_path / "tuesday", "street.mp4")

    listing = listed(one / "street.mp4", two / "street.mp4")

    assert [item.camera for item in listing.items] == ["monday/street.mp4", "tuesday/street.mp4"]


@pytest.mark.parametrize("order", [1, -1])
def test_each_item_is_listed_once_where_sources_overlap(tmp_path: Path, order: int) -> None:
    root = with_files(tmp_path / "yard", "1.jpg", "gate/2.jpg", "gate/3.jpg")
    (tmp_path / "link").symlink_to(root)
    sources: list[Path | str] = [
        root,
        root / "gate",
        root / "gate/2.jpg",
        f"{root}/",
        f"{root}/gate/..",
        root,
    ]

    listing = listed(*sources[::order], tmp_path / "link")

    assert list(listing.items) == list(listed(root).items)
    assert sum(source.repeated for source in listing.sources) == 3


def test_the_output_is_no_part_of_the_pool(tmp_path: Path) -> None:
    root = with_files(tmp_path / "yard", "1.jpg")
    out = with_captures(root / "out", 1)
    with_files(out, ".pool/part.parquet")

    assert [item.camera for item in listed(root, output=out).items] == ["yard"]
    assert [item.camera for item in listed(root).items] == ["yard", "out"]
    with pytest.raises(ConfigurationError, match="it is --out, or lies in it"):
        listed(out, output=out)
    with pytest.raises(ConfigurationError, match="it is --out, or lies in it"):
        listed(out / "images", output=f"{out}/../out")


def test_links_lead_nowhere_outside_and_not_in_circles(tmp_path: Path) -> None:
    root = with_files(tmp_path / "yard", "1.jpg", ".store/blob", "sub/2.jpg")
    secret = with_files(tmp_path / "private", "3.jpg") / "3.jpg"
    (root / "loop").symlink_to(root)
    (root / "sub/up").symlink_to("..")
    (root / "kept.jpg").symlink_to(".store/blob")
    (root / "again.jpg").symlink_to("1.jpg")
    (root / "out.jpg").symlink_to(secret)
    (root / "outside").symlink_to(secret.parent)
    (root / "broken.jpg").symlink_to("nowhere.jpg")
    (root / "self.jpg").symlink_to("self.jpg")

    listing = listed(root)

    assert list(cameras(listing, root)) == ["1.jpg", "kept.jpg", "sub/2.jpg"]
    (source,) = listing.sources
    assert source.passed_over == {"link": 4, "unusable": 3, "hidden": 1}
    assert sorted(source.problems) == [
        f"{root}/broken.jpg: the link names no regular file",
        f"{root}/out.jpg: the link leaves the source; give what it names as a SOURCE, or copy it",
        f"{root}/self.jpg: the link names no regular file",
    ]

    with_private = listed(root, secret.parent)
    assert len(with_private.items) == 4
    assert with_private.sources[1].problem_count == 2


def test_odd_names_are_read_or_named(tmp_path: Path) -> None:
    root = with_files(tmp_path / "yard", "new\nline.jpg", "\x1b[31m.jpg", "日本/é #?.jpg", "a.jpg")
    os.mkfifo(root / "pipe.jpg")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.jpg")).write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(root) + b"/\xfe")).mkdir()

    listing = listed(root)

    assert len(listing.items) == 4
    (source,) = listing.sources
    assert sorted(source.problems) == [
        rf"{root}/\udcfe: its name is not UTF-8; rename it",
        rf"{root}/\udcff.jpg: its name is not UTF-8; rename it",
        f"{root}/pipe.jpg: it is not a regular file",
    ]
    assert source.line().isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_named_and_stops_nothing(tmp_path: Path) -> None:
    root = with_files(tmp_path / "yard", "1.jpg", "shut/2.jpg")
    (root / "shut").chmod(0)

    listing = listed(root)
    (root / "shut").chmod(0o700)

    assert len(listing.items) == 1
    assert "shut/: the folder cannot be read: Permission denied" in listing.sources[0].problems[0]


def test_all_sources_that_cannot_be_read_are_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(with_files(tmp_path, "good/1.jpg", "notes.txt", "all.zip"))
    os.mkfifo("pipe")
    sources = {
        "good": "",
        "nowhere": f"it does not exist; a path without a leading / is relative to {tmp_path}",
        "good/*.png": "no file has this name, and the shell found none that matches it",
        "file:///data": "write the path without file:",
        "~/photos": "~ is not expanded",
        "gs://bucket/x": "sources are folders, files and s3://BUCKET/PREFIX",
        "https://user:pw@host/x": "sources are folders, files and s3://BUCKET/PREFIX",
        "notes.txt": "files with .txt are not read; supported are .bmp",
        "all.zip": "files with .zip are not read; unpack it first",
        "pipe": "it is neither a folder nor a regular file",
        "": "it is empty; write the path of a folder or file",
        "a\0b": "control characters",
        "x" * 5000: "longer than a file system takes",
    }

    with pytest.raises(ConfigurationError) as raised:
        listed(*sources)

    lines = str(raised.value).split("\n")
    wanted = [why for why in sources.values() if why]
    assert len(lines) == len(wanted)
    for line, why in zip(lines, wanted, strict=True):
        assert line.startswith("cannot read the source '")
        assert why in line
        assert line.isprintable()
        assert "pw" not in line


def test_a_source_without_images_says_what_is_in_it(tmp_path: Path) -> None:
    good = with_files(tmp_path / "good", "1.jpg")
    empty = with_files(tmp_path / "empty", "a.heic", "b.heic", "c.txt")

    with pytest.raises(ConfigurationError) as raised:
        listed(good, empty)

    assert str(raised.value) == (
        f"cannot use the source '{empty}': there is no image and no recording in it, but 2 .heic, "
        "1 .txt. Supported are .bmp .jpeg .jpg .png .tif .tiff .webp .gif .jfif .jpe and .mp4 .m4v "
        ".mov .mkv .webm .avi .ts .m2ts .mpg .mpeg .flv"
    )
    with pytest.raises(ConfigurationError, match="no source is given"):
        listed()


def test_progress_tells_how_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.pool.sources.listing._TOLD", 10)
    root = with_files(tmp_path / "many", *(f"{n}.jpg" for n in range(21)))
    told: list[int] = []

    list_items([f"{root}"], progress=told.append)

    assert told == [10, 20]


def test_folders_deeper_than_a_path_may_be_long_are_named(tmp_path: Path) -> None:
    root = with_files(tmp_path / "yard", "1.jpg")
    deepest = os.open(root, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=deepest)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=deepest)
        os.close(deepest)
        deepest = below
    os.close(deepest)

    listing = listed(root)

    assert len(listing.items) == 1
    (problem,) = listing.sources[0].problems
    assert problem.endswith("the folder cannot be read: File name too long")
