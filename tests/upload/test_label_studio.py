"""The Label Studio target against a server with Label Studio's habits."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Semaphore
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain import StoredCapture, VerdictKind
from agent.errors import (
    AgentError,
    CaptureRejected,
    ConfigurationError,
    TargetBlocked,
    TargetUnavailable,
)
from agent.record.verdicts import line_text
from agent.runtime.worker import Worker
from agent.upload.http.options import HttpOptions
from agent.upload.targets.label_names import nearest
from agent.upload.targets.label_studio import LabelStudioTarget
from tests.fakes.captures import CAR, classified, said, stored_capture
from tests.fakes.clock import ManualClock
from tests.fakes.log import Recorder
from tests.limits import LIMIT_S
from tests.runtime.runtime_builders import wait_until
from tests.search import examples
from tests.upload.fake_web import Reply
from tests.upload.label_studio_server import (
    LEGACY,
    NOT_FOUND,
    PERSONAL,
    RECTANGLES,
    LabelStudioServer,
)

BOOT = "0e7d6a1c"
BICYCLE = {"label": "bicycle", "class_id": 1, "confidence": 0.7, "box": [0.0, 0.0, 50.0, 50.0]}
FAINT = {"label": "person", "class_id": 0, "confidence": 0.6, "box": [100.0, 50.0, 300.0, 100.0]}


@pytest.fixture
def server() -> Iterator[LabelStudioServer]:
    with LabelStudioServer() as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def target_of(
    url: str, *, token: str | None = LEGACY, clock: ManualClock | None = None
) -> LabelStudioTarget:
    return LabelStudioTarget(
        url,
        token=token,
        clock=clock or ManualClock(),
        network=HttpOptions(timeout=60.0),
        boot=BOOT,
    )


def test_a_task_says_what_people_said(server: LabelStudioServer) -> None:
    with target_of(server.url) as target:
        verdicts = [said(1, by="ann", note="no car"), said(2, VerdictKind.RIGHT)]
        target.send(stored_capture(1, verdicts=verdicts))

    (task,) = server.tasks
    assert task.data["verdicts_on_others"] == [line_text(said(2, VerdictKind.RIGHT))]
    found = {name: task.data[name] for name in ("verdict", "verdict_by", "note")}
    assert found == {"verdict": "wrong", "verdict_by": "ann", "note": "no car"}


def test_auto_labels_are_predictions_that_are_told_apart(server: LabelStudioServer) -> None:
    """An annotation would count as a person's work."""
    with target_of(server.url) as target:
        target.send(stored_capture(1, lane="auto", detections=[CAR]))
        target.send(stored_capture(2, detections=[CAR]))

    auto, other = server.tasks
    assert auto.data["auto"] == "auto"
    assert "auto" not in other.data
    assert len(auto.predictions) == 1


def paths(server: LabelStudioServer) -> list[str]:
    return [call.path.removeprefix("/api/") for call in server.calls]


def test_a_capture_becomes_a_task_with_its_image_facts_and_boxes(server: LabelStudioServer) -> None:
    sent = stored_capture(1, detections=[CAR, BICYCLE, FAINT])
    with target_of(server.url) as target:
        receipt = target.send(sent)

    (task,) = server.tasks
    kind, _, image = task.data.pop("image").partition(",")
    assert (receipt.id, receipt.sha256, receipt.duplicate) == (sent.id, sent.image_sha256, False)
    assert (kind, base64.b64decode(image)) == ("data:image/jpeg;base64", sent.image)
    assert task.data == {
        "capture_id": sent.id,
        "device": "test",
        "camera": "gate",
        "captured_at": "2026-05-28T20:26:40.000Z",
        "lane": "score",
        "value": 0.75,
        "rules": "low_confidence, flicker",
        "model": "nanodet-g-416",
        "sha256": sent.image_sha256,
    }
    (prediction,) = task.predictions
    assert prediction == {
        "model_version": "nanodet-g-416",
        "score": 0.9,
        "result": [
            {
                "from_name": "objects",
                "to_name": "photo",
                "type": "rectanglelabels",
                "original_width": 200,
                "original_height": 100,
                "image_rotation": 0,
                "score": 0.9,
                "value": {
                    "x": 5.0,
                    "y": 20.0,
                    "width": 50.0,
                    "height": 50.0,
                    "rotation": 0,
                    "rectanglelabels": ["car"],
                },
            }
        ],
    }


@pytest.mark.parametrize(
    ("options", "detections", "labels"),
    [
        ("", [CAR], ["car"]),
        ("?annotate=floor", [CAR, FAINT], ["car", "person"]),
        ("?annotate=threshold", [CAR, FAINT], ["car"]),
        ("?annotate=off", [CAR], None),
        ("", [], None),
        ("", [BICYCLE], None),  # a label that the project does not have
    ],
)
def test_which_boxes_arrive(
    server: LabelStudioServer,
    options: str,
    detections: list[dict[str, Any]],
    labels: list[str] | None,
) -> None:
    with target_of(server.url + options) as target:
        target.send(stored_capture(1, detections=detections))

    (task,) = server.tasks
    arrived = [
        [region["value"]["rectanglelabels"][0] for region in prediction["result"]]
        for prediction in task.predictions
    ]
    assert arrived == ([] if labels is None else [labels])


def made_now(number: int, clock: ManualClock, **changes: Any) -> Any:
    return stored_capture(number, boot_id=BOOT, monotonic_ns=int((clock.now + 1) * 1e9), **changes)


def test_a_capture_of_this_process_is_not_searched_for(
    server: LabelStudioServer, clock: ManualClock
) -> None:
    """The search reads through the whole project."""
    with target_of(server.url, clock=clock) as target:
        for number in range(3):
            target.send(made_now(number, clock))

    assert paths(server) == ["projects/7", *["projects/7/import"] * 3]


@pytest.mark.parametrize(
    "changes",
    [
        {"boot_id": "another", "monotonic_ns": 10**18},
        {"boot_id": BOOT, "monotonic_ns": 99_000_000_000},
        {"boot_id": BOOT},
        {},
    ],
)
def test_a_capture_of_an_earlier_process_is_searched_for(
    server: LabelStudioServer, changes: dict[str, Any]
) -> None:
    with target_of(server.url) as target:
        target.send(stored_capture(1, **changes))
    with target_of(server.url) as after_a_restart:
        assert after_a_restart.send(stored_capture(1, **changes)).duplicate is True

    assert len(server.tasks) == 1


def test_after_a_lost_answer_it_is_searched_for(
    server: LabelStudioServer, clock: ManualClock
) -> None:
    server.faults.append(lambda: None)
    with target_of(server.url, clock=clock) as target:
        sent = made_now(1, clock)
        with pytest.raises(TargetUnavailable) as caught:
            target.send(sent)

        assert caught.value.retry_after == 10.0, "the server may still be at it"
        assert target.send(sent).duplicate is True
    assert [len(task.predictions) for task in server.tasks] == [1]


def test_boxes_that_an_import_lost_are_added(server: LabelStudioServer) -> None:
    server.loses_boxes = 1
    with target_of(server.url) as target:
        target.send(stored_capture(1))

    (task,) = server.tasks
    assert [prediction["model_version"] for prediction in task.predictions] == ["nanodet-g-416"]


def test_boxes_that_an_import_lost_with_its_answer_are_added_later(
    server: LabelStudioServer,
) -> None:
    server.loses_boxes = 1
    server.faults.append(lambda: None)
    with target_of(server.url) as target, pytest.raises(TargetUnavailable):
        target.send(stored_capture(1))
    with target_of(server.url) as after_a_restart:
        for _ in range(2):
            assert after_a_restart.send(stored_capture(1)).duplicate is True

    assert [len(task.predictions) for task in server.tasks] == [1]


def test_imports_are_made_one_at_a_time(server: LabelStudioServer) -> None:
    with target_of(server.url) as target, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: target.send(stored_capture(number)), range(12)))

    assert server.most_importing == 1
    assert len(server.tasks) == 12


def test_another_image_under_the_same_id_is_rejected(server: LabelStudioServer) -> None:
    with target_of(server.url) as target:
        target.send(stored_capture(1, b"first"))
        with pytest.raises(CaptureRejected, match="another image"):
            target.send(stored_capture(1, b"second"))


def test_more_attempts_than_are_remembered_are_searched_for(
    server: LabelStudioServer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.upload.targets.label_studio._ATTEMPTS_MAX", 2)
    server.faults.extend([lambda: None] * 4)
    with target_of(server.url, clock=clock) as target:
        for number in range(4):
            with pytest.raises(TargetUnavailable):
                target.send(made_now(number, clock))
        for number in range(4):
            assert target.send(made_now(number, clock)).duplicate is True

    assert len(server.tasks) == 4


def test_a_personal_token_buys_access_and_renews_it_in_time(
    server: LabelStudioServer, clock: ManualClock
) -> None:
    with target_of(server.url, token=PERSONAL, clock=clock) as target:
        target.send(stored_capture(1))
        target.send(stored_capture(2))
        assert paths(server).count("token/refresh") == 1
        clock.now += 241
        target.send(stored_capture(3))

    assert paths(server).count("token/refresh") == 2
    assert PERSONAL not in {call.headers.get("authorization") for call in server.calls}


def test_an_access_token_that_ends_early_is_renewed_at_once(server: LabelStudioServer) -> None:
    with target_of(server.url, token=PERSONAL) as target:
        target.send(stored_capture(1))
        server.expire()
        target.send(stored_capture(2))

    assert len(server.tasks) == 2


@pytest.mark.parametrize("token", [LEGACY, PERSONAL])
def test_a_revoked_token_holds(server: LabelStudioServer, token: str) -> None:
    with target_of(server.url, token=token) as target:
        target.send(stored_capture(1))
        server.legacy = server.personal = None
        server.expire()
        for attempt in (target.probe, lambda: target.send(stored_capture(2))):
            with pytest.raises(TargetBlocked, match="set AGENT_UPLOAD_TOKEN"):
                attempt()


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        ((500, NOT_FOUND), TargetUnavailable, "500"),
        ((502, b"<html>"), TargetUnavailable, "502"),
        ((429, {}), TargetUnavailable, "429"),
        ((400, {"detail": f"no {LEGACY}!"}), CaptureRejected, r"400: no \*\*\*!"),
        ((413, b"<html>"), CaptureRejected, "413"),
        ((403, {"detail": "no permission"}), TargetBlocked, "rights"),
        ((404, NOT_FOUND), TargetBlocked, "AGENT_UPLOAD_URL"),
        ((302, b""), TargetBlocked, "redirects"),
        ((200, b"<html>log in"), TargetBlocked, "captive portal"),
        ((201, {"import": 3}), TargetUnavailable, "no task of it yet"),
        ((201, {"task_count": 0, "task_ids": []}), TargetUnavailable, "no task of it yet"),
    ],
)
def test_each_answer_to_an_import_has_its_meaning(
    server: LabelStudioServer, reply: tuple[int, object], error: type[AgentError], says: str
) -> None:
    server.faults.append(lambda: reply)
    with target_of(server.url) as target:
        with pytest.raises(error, match=says) as caught:
            target.send(stored_capture(1))

        assert LEGACY not in str(caught.value)
        assert target.send(stored_capture(1)).duplicate is False, "and it passes later"


@pytest.mark.parametrize(
    "reply",
    [(200, {}), (200, {"total_predictions": 0, "tasks": [7]}), (200, {"tasks": None})],
)
def test_a_search_that_is_not_answered_holds(
    server: LabelStudioServer, reply: tuple[int, object]
) -> None:
    """Nothing is imported on a guess."""
    with target_of(server.url) as target:
        target.send(stored_capture(1))
        server.failure = reply
        with pytest.raises(TargetBlocked, match="lists no tasks"):
            target.send(stored_capture(2))


def tag(kind: str, source: str = "Image", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "to_name": ["photo"],
        "inputs": [{"type": source, "value": "image"}],
        "labels": ["car"],
        **more,
    }


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "shows no image"),
        (None, "shows no image"),
        ({"t": tag("Labels", "Text")}, "shows no image"),
        ({"t": "?"}, "shows no image"),
        ({"p": tag("KeyPointLabels")}, "no <RectangleLabels>"),
        ({"t": tag("RectangleLabels", "Text"), "p": tag("BrushLabels")}, "no <RectangleLabels>"),
        ({"c": tag("Choices", dynamic_labels=True)}, "no <RectangleLabels>"),
        ({"d": tag("RectangleLabels", dynamic_labels=True)}, "no <RectangleLabels>"),
    ],
)
def test_a_project_that_would_hide_the_boxes_holds(
    server: LabelStudioServer, config: Any, says: str
) -> None:
    server.config = config
    with target_of(server.url) as target:
        for attempt in (target.probe, lambda: target.send(stored_capture(1))):
            with pytest.raises(TargetBlocked, match=says):
                attempt()
    assert server.tasks == []


CHOICES = {"kind": tag("Choices", labels=["cat", "dog"])}


@pytest.mark.parametrize(
    ("options", "classes", "label"),
    [
        ("", [("cat", 0.6), ("dog", 0.4)], "cat"),
        ("", [("cat", 0.4), ("dog", 0.35)], None),
        ("?annotate=floor", [("cat", 0.4), ("dog", 0.35)], "cat"),
        ("?annotate=off", [("cat", 0.6)], None),
        ("", [("hen", 0.6)], None),  # a choice that the project does not have
        ("", [], None),
    ],
)
def test_a_classifiers_best_class_arrives_as_a_choice(
    server: LabelStudioServer,
    options: str,
    classes: list[tuple[str, float]],
    label: str | None,
) -> None:
    server.config = {"other": tag("Choices", "Text"), **CHOICES, "more": tag("Choices")}
    with target_of(server.url + options) as target:
        target.send(classified(1, *classes))

    (task,) = server.tasks
    expected = {
        "model_version": "nanodet-g-416",
        "score": classes[0][1] if classes else None,
        "result": [
            {
                "from_name": "kind",
                "to_name": "photo",
                "type": "choices",
                "score": classes[0][1] if classes else None,
                "value": {"choices": [label]},
            }
        ],
    }
    assert task.predictions == ([] if label is None else [expected])


def test_a_choice_that_an_import_lost_is_added(server: LabelStudioServer) -> None:
    server.config, server.loses_boxes = CHOICES, 1
    with target_of(server.url) as target:
        target.send(classified(1, ("cat", 0.9)))

    (task,) = server.tasks
    assert [each["result"][0]["value"] for each in task.predictions] == [{"choices": ["cat"]}]


@pytest.mark.parametrize(
    ("config", "sent", "says"),
    [
        (CHOICES, stored_capture(1), "no <RectangleLabels>, so nobody would see the boxes"),
        (RECTANGLES, classified(1, ("cat", 0.9)), "no <Choices>, so nobody would see a class"),
    ],
)
def test_a_project_for_the_other_kind_of_model_holds(
    server: LabelStudioServer, config: Any, sent: StoredCapture, says: str
) -> None:
    server.config = config
    with target_of(server.url) as target:
        with pytest.raises(TargetBlocked, match=says):
            target.send(sent)
        target.probe()  # it cannot know which model runs
    assert server.tasks == []


def test_one_project_takes_both(server: LabelStudioServer) -> None:
    """Choices of another image than the boxes' would go nowhere."""
    elsewhere = tag("Choices", to_name=["map"], labels=["cat"])
    server.config = {"elsewhere": elsewhere, **CHOICES, **RECTANGLES}
    with target_of(server.url) as target:
        assert "boxes in 'objects', classes in 'kind'" in target.probe()
        target.send(stored_capture(1))
        target.send(classified(2, ("cat", 0.9)))

    assert [task.predictions[0]["result"][0]["type"] for task in server.tasks] == [
        "rectanglelabels",
        "choices",
    ]


def test_without_boxes_any_project_with_an_image_will_do(server: LabelStudioServer) -> None:
    server.config = {"c": tag("Choices")}
    with target_of(f"{server.url}?annotate=off") as target:
        assert "no boxes" in target.probe()
        target.send(stored_capture(1))

    assert server.tasks[0].predictions == []


def test_boxes_go_to_the_tag_that_takes_them(server: LabelStudioServer) -> None:
    server.config = {"b": tag("BrushLabels"), **RECTANGLES}
    with target_of(server.url) as target:
        target.send(stored_capture(1))

    assert server.tasks[0].predictions[0]["result"][0]["from_name"] == "objects"


def test_an_interface_that_changes_is_read_again(server: LabelStudioServer) -> None:
    with target_of(server.url) as target:
        target.send(stored_capture(1))
        source = {"type": "Image", "value": "photo"}
        server.config = {"objects": {**RECTANGLES["objects"], "inputs": [source]}}
        with pytest.raises(CaptureRejected, match="Validation error"):
            target.send(stored_capture(2))

        target.send(stored_capture(2))
    assert "photo" in server.tasks[1].data


def test_the_probe_tells_title_tasks_and_names(server: LabelStudioServer) -> None:
    with target_of(server.url) as target:
        target.send(stored_capture(1))

        said = "the project 'yard' has 1 tasks; images in 'photo', boxes in 'objects'"
        assert target.probe() == said


def test_an_address_from_the_browser_is_understood(server: LabelStudioServer) -> None:
    for ending in ("/", "/data", "/data/"):
        with target_of(server.url + ending) as target:
            assert "yard" in target.probe()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("label-studio+https://host", "HOST/projects/ID"),
        ("label-studio+https://host/projects/", "HOST/projects/ID"),
        ("label-studio+https://host/projects/x", "HOST/projects/ID"),
        ("label-studio+https://host/projects/1/settings", "HOST/projects/ID"),
        ("label-studio+https:///projects/1", "HOST/projects/ID"),
        ("label-studio+https://u:s3cret@host/projects/1", "AGENT_UPLOAD_TOKEN"),
        ("label-studio+https://host/projects/1?token=s3cret", "AGENT_UPLOAD_TOKEN"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        target_of(url)

    assert str(caught.value).startswith("AGENT_UPLOAD_URL: ")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", [None, "", "a b"])
def test_a_token_is_needed(token: str | None) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_UPLOAD_TOKEN"):
        target_of("label-studio+https://host/projects/1", token=token)


def failure(attempt: Callable[[], object]) -> str:
    """What an attempt fails with."""
    try:
        return str(attempt())
    except AgentError as error:
        return str(error)


printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=40)
part = st.from_regex(r"[A-Za-z0-9_-]{8,20}", fullmatch=True)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    token=printable | st.builds("eyJ{}.{}.{}".format, part, part, part),
    status=st.sampled_from([200, 400, 401, 403, 404, 423, 500]),
)
def test_no_token_is_ever_repeated(server: LabelStudioServer, token: str, status: int) -> None:
    server.failure = (status, {"detail": f"the token {token}", "access": token})
    with target_of(server.url, token=token) as target:
        said = failure(target.probe) + failure(lambda: target.send(stored_capture(1)))

    assert token not in said


def test_a_label_that_the_project_does_not_have_is_told_with_the_nearest_one(
    server: LabelStudioServer,
) -> None:
    """As where the model says `person` and the project `Person`: nobody would see a box."""
    server.config = {"objects": {**RECTANGLES["objects"], "labels": ["Person", "Traffic-Light"]}}
    detections = [{**CAR, "label": label} for label in ("person", "traffic light", "zebra")]
    with target_of(server.url) as target:
        receipt = target.send(stored_capture(1, detections=detections))

    assert server.tasks[0].predictions == []
    assert receipt.left_out == (
        "the project has no label person; it has Person",
        "the project has no label traffic light; it has Traffic-Light",
        "the project has no label zebra",
    )


def test_labels_that_fit_are_not_told(server: LabelStudioServer) -> None:
    with target_of(server.url) as target:
        assert target.send(stored_capture(1, detections=[CAR])).left_out == ()
        assert target.compare_labels(["car", "person"]) is None


def test_the_labels_of_model_and_project_are_compared_before_anything_is_sent(
    server: LabelStudioServer,
) -> None:
    server.config = {"objects": {**RECTANGLES["objects"], "labels": ["Person", "\x1b[31mcar"]}}
    with target_of(server.url) as target, target_of(f"{server.url}?annotate=off") as without:
        said = target.compare_labels(["person", "dog"])
        assert without.compare_labels(["person", "dog"]) is None

    assert said is not None
    assert "lacks all labels of the model" in said
    assert "The model has dog, person; the project has" in said
    assert "person is there as Person" in said
    assert said.isprintable()


@pytest.mark.parametrize(
    ("label", "known", "near"),
    [
        ("person", ["Person"], "Person"),
        ("traffic light", ["traffic_light", "traffic"], "traffic_light"),
        ("motorcycle", ["motorcycles", "car"], "motorcycles"),
        ("STRASSE", ["straße"], "straße"),
        ("cat", ["truck", "bus"], None),
        ("", ["a"], None),
        ("a", [], None),
    ],
)
def test_which_label_is_nearest(label: str, known: list[str], near: str | None) -> None:
    assert nearest(label, known) == near


def test_imports_one_at_a_time_are_named_waits_and_no_stall(server: LabelStudioServer) -> None:
    """Eight workers, and a server that takes 22 s for each request: the last waits for minutes."""
    clock, log, go_on = ManualClock(), Recorder(), Semaphore(0)

    def slow_import() -> Reply:
        assert go_on.acquire(timeout=LIMIT_S)
        return ()  # type: ignore[return-value]

    server.faults.extend([slow_import] * 8)
    with target_of(server.url) as target:

        def deliver(number: int) -> None:
            target.send(stored_capture(number))

        workers = [
            Worker(
                f"upload {number}",
                partial(deliver, number),
                timeout=30.0,
                clock=clock,
                log=log.log,
                ended=lambda: None,
            )
            for number in range(8)
        ]
        for worker in workers:
            worker.start()
        for left in range(8, 0, -1):
            wait_until(partial(is_served, server, workers, left))
            clock.now += 22
            assert not any(worker.overdue(clock.now) for worker in workers)
            go_on.release()
        assert all(worker.join(60) for worker in workers)

    assert (len(server.tasks), server.most_importing) == (8, 1)
    assert log.events == []


def is_served(server: LabelStudioServer, workers: list[Worker], left: int) -> bool:
    """Whether one of the workers that are left imports, and all others wait for their turn."""
    named = "(waits for its turn to import)"
    return (
        bool(server.importing)
        and sum(named in one.description for one in workers) == left - 1
        and sum(not one.ended for one in workers) == left
    )
