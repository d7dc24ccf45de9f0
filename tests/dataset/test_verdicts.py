"""`verdicts.jsonl`: each line once, whatever is repeated or torn, and nothing odd in it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent.dataset import verdicts
from agent.dataset.folder import Dataset
from agent.dataset.verdicts import FILE, VerdictLog, read_verdicts
from agent.domain import StoredCapture, Verdict, VerdictKind
from agent.errors import ConfigurationError, UnfitCapture
from agent.files import Disk
from agent.record.verdicts import verdict_line
from tests.fakes.captures import capture_id, stored_capture
from tests.fakes.clock import WALL
from tests.fakes.disk.real import OrderedDisk


def _line(number: int, capture: str = "", **more: Any) -> dict[str, Any]:
    return verdict_line(Verdict(VerdictKind.RIGHT, "gate", WALL, WALL + number, capture, **more))


def _store(dataset: Dataset, made: StoredCapture) -> bool:
    return dataset.store(made.record_json, made.image)


def _read(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text("utf-8").splitlines()]


def test_the_verdicts_of_a_record_become_lines(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Disk())
    lines = [_line(1, capture_id(1), note="gr\u00fcn", by="ann"), _line(2, capture_id(7))]

    assert _store(dataset, stored_capture(1, verdicts=lines))
    assert _store(dataset, stored_capture(2))

    assert _read(tmp_path) == lines
    assert "gr\u00fcn" in (tmp_path / FILE).read_text("utf-8")
    assert read_verdicts(tmp_path).lines == lines


def test_without_verdicts_there_is_no_file(tmp_path: Path) -> None:
    _store(Dataset(tmp_path, Disk()), stored_capture(1, verdicts=[]))

    assert not (tmp_path / FILE).exists()
    assert read_verdicts(tmp_path).lines == []


def test_a_capture_that_arrives_again_adds_nothing(tmp_path: Path) -> None:
    made = stored_capture(1, verdicts=[_line(1)])

    for _ in range(2):  # the second one as after a restart
        dataset = Dataset(tmp_path, Disk())
        _store(dataset, made)
        _store(dataset, made)

    assert _read(tmp_path) == [_line(1)]


def test_verdicts_that_were_not_written_are_when_the_capture_arrives_again(tmp_path: Path) -> None:
    """The process ended after the record was stored."""
    made = stored_capture(1, verdicts=[_line(1)])
    _store(Dataset(tmp_path, Disk()), made)
    (tmp_path / FILE).unlink()

    assert _store(Dataset(tmp_path, Disk()), made) is False
    assert _read(tmp_path) == [_line(1)]


def test_a_line_that_two_captures_bring_counts_once(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Disk())
    for number in (1, 2):
        _store(dataset, stored_capture(number, verdicts=[_line(1), _line(number + 1)]))

    assert _read(tmp_path) == [_line(1), _line(2), _line(3)]


def test_verdicts_of_captures_of_another_task_are_in_the_same_file(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Disk())
    _store(dataset, stored_capture(1, verdicts=[_line(1)]))
    model = {"name": "m", "sha256": "ab", "task": "segment", "provider": "cpu"}
    _store(dataset, stored_capture(2, model=model, verdicts=[_line(2)]))

    assert (tmp_path / "segment" / "records").is_dir()
    assert _read(tmp_path) == [_line(1), _line(2)]
    assert not (tmp_path / "segment" / FILE).exists()


@pytest.mark.usefixtures("patient_locks")
def test_several_writers_add_each_line_once(tmp_path: Path) -> None:
    """Two processes, here two datasets with threads, get the same captures in any order."""
    made = [stored_capture(n, verdicts=[_line(n), _line(100 + n % 5)]) for n in range(20)]
    datasets = [Dataset(tmp_path, Disk()), Dataset(tmp_path, Disk())]

    with ThreadPoolExecutor(4) as pool:
        stored = [pool.submit(_store, dataset, one) for dataset in datasets for one in made]
        for each in stored:
            each.result()

    lines = _read(tmp_path)
    assert sorted(line["at"] for line in lines) == sorted({line["at"] for line in lines})
    assert len(lines) == 25


def test_whatever_a_power_cut_left_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / FILE
    log = VerdictLog(tmp_path, Disk())
    log.add({"verdicts": [_line(1)]})
    first = path.read_bytes()
    log.add({"verdicts": [_line(2)]})
    both = path.read_bytes()

    for cut in {*range(len(first), len(both), 17), len(both) - 2, len(both) - 1}:
        for torn in (both[:cut], both[:cut] + bytes(len(both) - cut)):
            path.write_bytes(torn)
            VerdictLog(tmp_path, Disk()).add({"verdicts": [_line(2), _line(3)]})

            assert _read(tmp_path) == [_line(1), _line(2), _line(3)]


def test_lines_of_a_review_stay(tmp_path: Path) -> None:
    review = {"id": capture_id(1), "at": "2026-05-28T20:26:40Z", "by": "ann", "verdict": "right"}
    undo = {**review, "undo": "2026-05-28T20:26:40Z"}
    text = json.dumps(review) + "\n" + json.dumps(undo)  # an editor left out the last line end
    (tmp_path / FILE).write_text(text)

    VerdictLog(tmp_path, Disk()).add({"verdicts": [_line(1)]})

    assert read_verdicts(tmp_path).lines == [review, undo, _line(1)]


def test_a_file_that_a_person_replaced_is_read_again(tmp_path: Path) -> None:
    log = VerdictLog(tmp_path, Disk())
    log.add({"verdicts": [_line(1), _line(2)]})
    (tmp_path / FILE).write_text("")

    assert log.add({"verdicts": [_line(1)]}) == 1


def test_lines_are_durable_before_a_capture_counts_as_stored(tmp_path: Path) -> None:
    class Disk(OrderedDisk):
        def append(self, path: Path, data: bytes) -> None:
            super().append(path, data)
            self.log.append(f"{path.name}+{len(data.splitlines())}")

    disk = Disk()
    _store(Dataset(tmp_path, disk), stored_capture(1, verdicts=[_line(1), _line(2)]))

    assert disk.log[-1] == f"{FILE}+2"


@pytest.mark.parametrize(
    "odd",
    [
        "right",
        [{}],
        [{**_line(1), "verdict": "perfect"}],
        [{**_line(1), "note": "a\u0000b"}],
        [_line(1)] * 65,
    ],
)
def test_odd_verdicts_are_refused_with_their_capture(tmp_path: Path, odd: object) -> None:
    with pytest.raises(UnfitCapture, match="verdicts"):
        _store(Dataset(tmp_path, Disk()), stored_capture(1, verdicts=odd))
    assert not (tmp_path / FILE).exists()
    assert not (tmp_path / "records").exists()


def test_only_known_fields_become_part_of_a_line(tmp_path: Path) -> None:
    smuggled = {**_line(1), "undo": _line(2)["at"], "boxes": [], "x": "y"}
    _store(Dataset(tmp_path, Disk()), stored_capture(1, verdicts=[smuggled]))

    assert _read(tmp_path) == [_line(1)]


def test_bad_lines_are_named_and_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "LONGEST_LINE", 400)
    good = json.dumps(_line(1))
    texts = [
        good,
        "",
        "{",
        "[]",
        json.dumps({**_line(1), "id": "../x"}),
        json.dumps({**_line(1), "at": "now"}),
        json.dumps({**_line(1), "verdict": 3}),
        "[" * 300,
        "x" * 1000,
        good,
        json.dumps(_line(2)),
    ]
    (tmp_path / FILE).write_text("\n".join(texts))

    found = read_verdicts(tmp_path)

    assert found.lines == [_line(1), _line(2)]
    whys = [problem.partition(f"{FILE}: ")[2] for problem in found.problems]
    assert [problem.split()[1] for problem in found.problems] == list("3456789")
    assert whys == [
        "it is not valid JSON",
        "it is not a JSON object",
        "its `id` is no id of a capture",
        "its `at` is no time with its offset from UTC, such as 2026-01-31T12:00:00Z",
        "its `verdict` is none of right, wrong, missing, unusable, unobjected",
        "it is not valid JSON",
        "it has more than 400 bytes",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()

    with pytest.raises(ConfigurationError, match=r"cannot read the verdicts in .*a folder"):
        read_verdicts(tmp_path)
