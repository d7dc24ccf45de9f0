"""The store in a folder: what is added stays, and the next process finds it."""

import errno
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import ConfigurationError, TemporaryError
from agent.pool.candidates import Candidate
from agent.pool.items import ItemKind, PoolItem
from agent.pool.rows import NOT_READ, PoolRow, frame_key
from agent.pool.store import part as part_module
from agent.pool.store.local_place import LocalPlace, _LocalLog
from agent.pool.store.order import RowOrder
from agent.pool.store.part import Part
from agent.pool.store.sealed import DamagedPart
from agent.pool.store.store import PartStore
from agent.pool.store.terms import check_settings
from agent.selection.view import View
from tests.fakes.clock import ManualClock

IMAGE, CLIP = ItemKind.IMAGE, ItemKind.RECORDING


def store_in(folder: Path) -> PartStore:
    place = LocalPlace(folder, clock=ManualClock())
    place.prepare()
    return PartStore(place)


def image(n: int, **values: str) -> PoolRow:
    return PoolRow(f"/i/{n:04d}", id=f"id {n}", **values)  # type: ignore[arg-type]


def frame_row(item: str, n: int) -> PoolRow:
    return PoolRow(frame_key(item, n), id=f"{n}", frame=n)


def lose(part: Part) -> None:
    """Do what the kernel does for a process that is killed."""
    log = part._log
    assert isinstance(log, _LocalLog)
    log._file.close()


def names(folder: Path, ending: str) -> list[str]:
    return sorted(path.name for path in (folder / ".pool").glob(f"*{ending}"))


def keys(store: PartStore) -> list[str]:
    return [row.key for row in RowOrder(store).facts()]


def test_what_a_killed_process_added_is_kept(tmp_path: Path) -> None:
    killed = store_in(tmp_path).part("a")
    killed.add(image(1))
    killed.add(frame_row("/r/1", 0))
    lose(killed)

    store = store_in(tmp_path)
    kept = store.kept()
    following = store.part("a")

    assert kept.finished == {"/i/0001"}
    assert kept.begun == {"/r/1": 1}
    assert following.is_finished("/i/0001")
    assert following.next_frame("/r/1") == 1
    following.add(frame_row("/r/1", 1))
    following.finish("/r/1")
    following.close()
    assert store.kept().finished == {"/i/0001", "/r/1"}
    assert names(tmp_path, ".rows") == []
    assert keys(store) == ["/i/0001", "/r/1#0", "/r/1#1"]


def test_parts_are_sealed_when_they_are_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_module, "MOST_ROWS", 10)
    store = store_in(tmp_path)
    part = store.part("a")
    for n in range(25):
        part.add(image(n))

    assert len(names(tmp_path, ".parquet")) == 2
    assert len(store.kept().finished) == 25
    lose(part)
    assert store.part("a").is_finished("/i/0003")
    assert [each.key for each in RowOrder(store).rows(["/i/0024", "/i/0001"])] == [
        "/i/0024",
        "/i/0001",
    ]


def test_a_part_goes_on_after_each_kill_while_it_was_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the sealed part was whole, and before the rows in progress were deleted."""
    for method in ("write", "remove_log"):
        folder = tmp_path / method
        folder.mkdir()
        store = store_in(folder)
        part = store.part("a")
        part.add(image(1))
        with monkeypatch.context() as patched:

            def killed(*_: object) -> None:
                raise KeyboardInterrupt

            patched.setattr(store.place, method, killed)
            with pytest.raises(KeyboardInterrupt):
                part.close()
        lose(part)

        store = store_in(folder)
        following = store.part("a")
        following.add(image(2))
        following.close()

        assert keys(store) == ["/i/0001", "/i/0002"]
        assert store.kept().rows == 2


def test_no_process_writes_the_part_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.pool.store.local_place._LOG_LOCK_S", 0.0)
    store = store_in(tmp_path)
    mine = store.part("a")
    mine.add(image(1))

    with pytest.raises(TemporaryError, match=r"cannot write .*a\.rows: another process writes it"):
        store.part("a")


def test_the_order_does_not_depend_on_who_wrote_what(tmp_path: Path) -> None:
    rows = [image(n, camera=str(n % 3)) for n in range(40)]
    found = []
    for workers in (1, 3):
        folder = tmp_path / str(workers)
        folder.mkdir()
        store = store_in(folder)
        for worker in range(workers):
            part = store.part(f"w{worker}")
            for row in reversed(rows[worker::workers]):
                part.add(row)
            part.add(rows[0])  # of a worker that was killed before it could tell
            part.close()
        found.append(list(RowOrder(store).facts()))

    assert found[0] == found[1]
    assert [row.key for row in found[0]] == [row.key for row in rows]


def test_shards_have_what_may_be_chosen_and_fetch_any_of_it(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    part = store.part("a")
    for n in range(700):
        part.add(image(n, problem="no image" if n % 10 == 0 else ""))
    part.close()

    shards = RowOrder(store).shards(_candidate, size=400)
    whole = [each.key for shard in shards for each in shard]

    assert [len(shard) for shard in shards] == [400, 230]
    assert whole == [f"/i/{n:04d}" for n in range(700) if n % 10]
    assert [each.key for each in shards[1].fetch([0, 1, 229])] == [
        whole[400],
        whole[401],
        whole[629],
    ]
    assert RowOrder(store, ["/i/0001", "/i/0002"]).shards(_candidate)[0].fetch([1])[0].id == "id 2"


def test_an_empty_store_has_no_rows(tmp_path: Path) -> None:
    store = store_in(tmp_path)

    assert store.kept().rows == 0
    assert RowOrder(store).shards(_candidate) == []
    assert keys(store) == []


def _candidate(row: PoolRow) -> Candidate:
    return Candidate(row.key, row.id, View(row.camera))


def test_items_of_a_damaged_part_are_analysed_again(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for n in range(3):
        part = store.part(f"w{n}")
        part.add(image(n))
        if n:
            part.next_frame("/r/1", first=n - 1)
            part.add(frame_row("/r/1", n - 1))
        part.close()
    path = tmp_path / ".pool" / names(tmp_path, ".parquet")[1]
    path.write_bytes(path.read_bytes()[:-20])

    kept = store.kept()

    assert kept.finished == {"/i/0000", "/i/0002"}
    assert kept.begun == {}  # its first frame is lost
    assert len(kept.damaged) == 1
    assert re.fullmatch(
        r"cannot read the kept rows in w1-.*parquet: it is damaged, in .*\.pool; its images are "
        "analysed again",
        kept.damaged[0],
    )
    assert store.kept().damaged == []


@pytest.mark.slow
def test_each_flipped_byte_of_a_part_is_found_or_harmless(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    part = store.part("a")
    rows = [image(n, camera="yard", digest=f"{n}") for n in range(5)]
    for row in rows:
        part.add(row)
    part.close()
    path = tmp_path / ".pool" / names(tmp_path, ".parquet")[0]
    whole = path.read_bytes()
    found = 0
    tried = range(0, len(whole), 61)
    for n in tried:
        path.write_bytes(whole[:n] + bytes([whole[n] ^ 0x20]) + whole[n + 1 :])
        try:
            order = RowOrder(store)
            assert order.rows([row.key for row in rows]) == rows
        except DamagedPart:
            found += 1

    assert found > len(tried) * 0.8  # the rest are statistics and magic bytes


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_in(tmp_path)
    part = store.part("a")
    part.add(image(1))
    with monkeypatch.context() as patched:

        def full(descriptor: int, data: bytes) -> int:
            del descriptor, data
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patched.setattr(os, "write", full)
        with pytest.raises(ConfigurationError, match=r"cannot write to .*\.pool: No space left"):
            part.add(image(2))

    assert store.kept().finished == {"/i/0001"}


def test_a_folder_that_nobody_may_write_to_is_named(tmp_path: Path) -> None:
    (tmp_path / ".pool").write_bytes(b"")

    with pytest.raises(ConfigurationError, match=r"cannot write to .*\.pool: .*another --out"):
        store_in(tmp_path)


def test_rows_of_other_settings_are_refused_with_each_difference(tmp_path: Path) -> None:
    place = store_in(tmp_path).place
    check_settings(place, {"model": "a" * 64, "AGENT_FPS": "5", "AGENT_MASKS": ""})
    check_settings(place, {"model": "a" * 64, "AGENT_FPS": "5", "AGENT_MASKS": ""})

    with pytest.raises(ConfigurationError) as refused:
        check_settings(place, {"model": "b" * 64, "AGENT_FPS": "5", "AGENT_MASKS": "gate:0,0"})

    text = str(refused.value)
    assert f"model was {'a' * 64}, is {'b' * 64}" in text
    assert "AGENT_MASKS was not set, is gate:0,0" in text
    assert "AGENT_FPS" not in text
    assert "Give another --out, or delete " in text


def test_rows_of_another_version_of_the_agent_are_refused_by_name(tmp_path: Path) -> None:
    place = store_in(tmp_path).place
    (tmp_path / ".pool" / "settings.json").write_text('{"AGENT_FPS": "5", "row schema": "1"}')

    with pytest.raises(ConfigurationError) as refused:
        check_settings(place, {"AGENT_FPS": "5"})

    assert "another version of capture-agent analysed its images (row schema 1" in str(
        refused.value
    )
    assert "AGENT_FPS" not in str(refused.value)


@pytest.mark.parametrize("part", ["a", "b"])
@pytest.mark.parametrize("end", [lose, Part.close])
def test_rows_of_a_replaced_item_count_no_more(
    tmp_path: Path, part: str, end: Callable[[Part], None]
) -> None:
    image_1, clip_1 = PoolItem("/i", IMAGE, "", version=1), PoolItem("/r", CLIP, "", version=1)
    image_2, clip_2 = replace(image_1, version=2), replace(clip_1, version=2)
    first = store_in(tmp_path).part("a")
    first.add(PoolRow("/i", id="old", version=1))
    for number in range(3):
        first.add(replace(frame_row("/r", number), version=1))
    first.finish(clip_1.identity)
    end(first)

    store = store_in(tmp_path)
    kept = store.kept()
    assert kept.finished == {image_1.identity, clip_1.identity}
    following = store.part(part)
    assert not following.is_finished(image_2.identity)
    assert following.next_frame(clip_2.identity) == 0
    following.add(PoolRow("/i", id="new", version=2))
    following.add(replace(frame_row("/r", 0), version=2))
    following.finish(clip_2.identity)
    following.close()

    order = RowOrder(store, {image_2.identity, clip_2.identity})
    assert [row.key for row in order.facts()] == ["/i", "/r#0"]
    assert [row.id for row in order.rows(["/i", "/r#0"])] == ["new", "0"]
    assert order.left_out == {"/i", "/r"}
    assert {image_2.identity, clip_2.identity} <= store.kept().finished


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a": 1}', b"[" * 100_000, b"\xff"])
def test_settings_that_cannot_be_read_are_refused(tmp_path: Path, data: bytes) -> None:
    place = store_in(tmp_path).place
    (tmp_path / ".pool" / "settings.json").write_bytes(data)

    with pytest.raises(ConfigurationError, match=r"settings\.json cannot be read; delete"):
        check_settings(place, {})


@pytest.mark.parametrize(("first", "second"), [("a", "a"), ("a", "b"), ("b", "a")])
@pytest.mark.parametrize("end", [lose, Part.close])
def test_an_item_whose_bytes_could_not_be_had_is_tried_again(
    tmp_path: Path, first: str, second: str, end: Callable[[Part], None]
) -> None:
    part = store_in(tmp_path).part(first)
    part.add(PoolRow("/i/0001", problem=f"{NOT_READ}image: permission denied"))
    part.finish("/i/0001")
    part.add(PoolRow("/i/0002", problem="cannot use an image: it arrived incomplete"))
    part.finish("/i/0002")
    assert part.is_finished("/i/0001")  # not within one run
    end(part)

    store = store_in(tmp_path)
    kept = store.kept()
    assert kept.finished == {"/i/0002"}
    assert kept.unread == {"/i/0001"}
    assert (kept.rows, kept.unreadable) == (1, 1)
    assert [row.problem != "" for row in RowOrder(store).facts()] == [True, True]

    again = store.part(second)
    assert not again.is_finished("/i/0001")
    again.add(image(1))
    again.finish("/i/0001")
    again.close()

    assert store.kept().finished == {"/i/0001", "/i/0002"}
    assert not store.kept().unread
    assert [row.problem != "" for row in RowOrder(store).facts()] == [False, True]
    assert [row.id for row in RowOrder(store).rows(["/i/0001"])] == ["id 1"]
