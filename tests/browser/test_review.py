"""Reviewing in a real browser: with the keyboard alone, with the mouse, by several people."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import Browser
from tests.browser.review_page import ReviewPage, ReviewServer
from tests.fakes.captures import CAR, capture_id
from tests.review.review_folder import ReviewFolder

pytestmark = pytest.mark.slow

BUS = [120.0, 10.0, 180.0, 50.0]
SUSPECT = {"rule": "flicker", "label": "bus", "track": 1, "box": BUS, "p": 0.4}
TASKS = ("segment", "pose", "obb")
Shape = dict[str, list[list[float]]]
WEAK = {**CAR, "label": "bus", "confidence": 0.3, "box": BUS, "class_id": 5}


@pytest.fixture
def server(running_browser: Browser, tmp_path: Path) -> Iterator[ReviewServer]:
    folder = ReviewFolder(tmp_path / "street")
    for number in range(8):
        folder.put(number, value=9 - number, detections=[CAR, WEAK], suspects=[SUSPECT])
    served = ReviewServer(folder.path)
    yield served
    served.kill()


def ids(*numbers: int) -> list[str]:
    return [capture_id(number) for number in numbers]


def test_verdicts_with_the_keyboard_alone(browser: Browser, server: ReviewServer) -> None:
    """A name, six keys, an undo: what is stored is what was said, in the order of the value."""
    browser.open(server.url)
    browser.until(lambda: browser.all("dialog#who[open]"), "nobody asks for the name")
    browser.press("B", "e", "n", Keys.ENTER)
    page = ReviewPage(browser, server.url, by="Ben")

    seen = [page.give(key) for key in "rwmus"]
    page.stored(server, 4)  # what is undone before it was sent is never sent
    browser.press("z")
    browser.until(lambda: page.shown_now() == capture_id(3), "z does not lead back")
    lines = page.stored(server, 5)

    assert seen == ids(0, 1, 2, 3, 4)
    assert [line["id"] for line in lines] == ids(0, 1, 2, 3, 3)
    verdicts = ["right", "wrong", "missing", "unusable", "unusable"]
    assert [line["verdict"] for line in lines] == verdicts
    assert {line["by"] for line in lines} == {"Ben"}
    assert lines[4]["undo"] == lines[3]["at"]
    assert browser.console() == []


def test_another_queue_or_filter_skips_nothing(browser: Browser, server: ReviewServer) -> None:
    """The captures that were loaded ahead come again; one that was skipped does not."""
    page = ReviewPage(browser, server.url)
    page.give("s")
    for name in ("Random sample", "By value", "By value"):
        page.button(name).click()
        browser.until(lambda: "Loading" not in browser.text, "nothing is loaded")
    browser.press("f")
    browser.until(lambda: browser.all("select[name=label] option[value=car]"), "no labels")
    browser.one("select[name=label] option[value=car]").click()
    browser.press(Keys.ESCAPE)

    seen = [page.give("r") for _ in range(6)]

    assert seen == ids(1, 2, 3, 4, 5, 6)


def test_undo_goes_on_after_the_page_is_loaded_again(
    browser: Browser, server: ReviewServer
) -> None:
    """Over several verdicts, back to their captures, with the corrections that were undone."""
    page = ReviewPage(browser, server.url)
    page.give("r")
    browser.press(Keys.TAB, "x")
    page.give("r")
    page.give("m")
    page.stored(server, 3)
    browser.press("z")
    page.stored(server, 4)
    browser.driver.refresh()

    page = ReviewPage.here(browser)
    browser.press("z")
    browser.until(lambda: page.shown_now() == capture_id(1), "z does not lead back")
    page.says("Save: wrong")
    browser.press("z")
    browser.until(lambda: page.shown_now() == capture_id(0), "z does not lead back")
    lines = page.stored(server, 6)
    browser.press("z")
    page.says("There is nothing to undo")

    assert [line["id"] for line in lines] == ids(0, 1, 2, 2, 1, 0)
    assert [line["undo"] for line in lines[3:]] == [line["at"] for line in lines[2::-1]]


def test_undo_in_another_window_takes_the_last_verdict_of_the_same_person(
    browser: Browser, server: ReviewServer
) -> None:
    """Not that of another person; and what stood before counts again."""
    page = ReviewPage(browser, server.url, by="Ben")
    page.give("w")
    page.give("r")
    page.stored(server, 2)
    browser.open("about:blank")
    page = ReviewPage(browser, server.url)
    page.button("Reviewed").click()
    browser.until(lambda: len(browser.all(".tile")) == 2, "the list has not two captures")
    browser.all(".tile")[1].click()
    browser.until(lambda: page.shown_now() == capture_id(0), "another capture is opened")
    page.says("wrong, by Ben")
    browser.press("u")
    page.stored(server, 3)
    browser.open("about:blank")
    browser.driver.switch_to.new_window("tab")

    page = ReviewPage(browser, server.url)
    browser.press("z")
    browser.until(lambda: page.shown_now() == capture_id(0), "z does not lead to her verdict")
    page.says("Undone: unusable")
    page.says("wrong, by Ben")
    lines = page.stored(server, 4)
    browser.press("z")
    page.says("There is nothing to undo")
    page.stored(server, 4)

    assert (lines[3]["by"], lines[3]["undo"]) == ("Ann", lines[2]["at"])


def test_a_correction_with_the_keyboard_alone(browser: Browser, server: ReviewServer) -> None:
    """Another label, a box that is no object, a suspect that is one, and a new box."""
    browser.open(server.url)
    browser.until(lambda: browser.all("dialog#who[open]"), "nobody asks for the name")
    browser.press("A", Keys.ENTER)
    page = ReviewPage.here(browser)

    browser.press(Keys.TAB, "l")  # the largest box: the car
    page.type("truck")
    browser.press(Keys.ENTER)
    browser.press(Keys.TAB, "a")  # the suspect
    browser.press("a", Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ENTER)
    page.type("hen")
    browser.press(Keys.ENTER)
    page.says("Save: wrong")
    page.give("r")
    browser.press(Keys.TAB, "x")
    page.give("w")
    first, second = page.stored(server, 2)

    assert (first["verdict"], second["verdict"]) == ("wrong", "wrong")
    truck, bus, hen = first["boxes"]
    assert truck == {"label": "truck", "box": CAR["box"]}
    assert bus == {"label": "bus", "class_id": 5, "box": BUS}
    assert (hen["label"], hen["box"]) == ("hen", [82.0, 42.0, 122.0, 62.0])
    assert second["boxes"] == []
    labels = server.folder / "labels" / f"{capture_id(0)}.txt"  # written after the verdict
    browser.until(lambda: len(labels.read_text().splitlines()) == 3, "there are no three labels")


def test_boxes_are_drawn_moved_and_stretched_with_the_mouse(
    browser: Browser, server: ReviewServer
) -> None:
    page = ReviewPage(browser, server.url)

    page.drag((130, 60), (190, 90))
    page.says("What is missing?")
    page.type("bus")
    browser.press(Keys.ENTER)
    page.says("Save: missing")
    page.give("m")
    page.click(60, 45)
    page.drag((60, 45), (70, 55))
    page.drag((120, 80), (130, 90))  # its lower right corner
    page.give("r")
    page.drag((130, 60), (190, 90))
    browser.press(Keys.ESCAPE)  # no label, no box
    page.says("right")
    page.give("r")
    missing, wrong, right = page.stored(server, 3)

    [car, bus] = missing["boxes"]
    assert (missing["verdict"], car["box"], bus["label"]) == ("missing", CAR["box"], "bus")
    assert bus["box"] == pytest.approx([130, 60, 190, 90], abs=1)
    [moved] = wrong["boxes"]
    assert wrong["verdict"] == "wrong"
    assert moved["box"] == pytest.approx([20, 30, 130, 90], abs=1)
    assert right["verdict"] == "right"
    assert "boxes" not in right


def test_two_reviewers_get_different_captures_and_hear_of_each_other(
    browser: Browser, server: ReviewServer
) -> None:
    ann = ReviewPage(browser, server.url)
    hers = browser.driver.current_window_handle
    first = ann.shown()
    browser.driver.switch_to.new_window("tab")
    ben = ReviewPage(browser, server.url, by="Ben")

    assert ben.shown() not in {first, *ids(*range(6))}
    browser.press("g")  # Ben opens the one that Ann looks at
    browser.until(lambda: browser.all(".tile"), "no list")
    browser.all(".tile")[0].click()
    browser.until(lambda: ben.shown() == first, "the first tile is another capture")
    ben.give("w")
    ben.stored(server, 1)
    browser.driver.switch_to.window(hers)
    ann.says("Ben just said wrong of this capture")
    ann.give("r")
    lines = ann.stored(server, 2)

    assert [(line["id"], line["by"]) for line in lines] == [(first, "Ben"), (first, "Ann")]


def test_nothing_is_lost_when_the_server_is_killed(browser: Browser, server: ReviewServer) -> None:
    """Verdicts go on, wait in the page and even outlive it, and are stored once each."""
    page = ReviewPage(browser, server.url)
    page.give("r")
    page.stored(server, 1)
    page.says("Reviewed 1")
    page.has_loaded(*ids(1, 2))
    server.kill()

    page.give("w")
    page.give("u")
    page.says("2 verdicts not stored yet: the server does not answer")
    server.start()
    page.stored(server, 3)
    browser.until(lambda: "not stored yet" not in browser.text, "the warning stays")
    page.shown()
    server.kill()
    page.give("r")
    browser.open("about:blank")
    server.start()
    page = ReviewPage(browser, server.url)
    lines = page.stored(server, 4)

    assert [line["id"] for line in lines] == ids(0, 1, 2, 3)
    assert page.shown() == capture_id(4)


def test_an_image_that_was_not_loaded_is_loaded_when_the_server_answers_again(
    browser: Browser, server: ReviewServer
) -> None:
    page = ReviewPage(browser, server.url)
    browser.until(lambda: "By value 8" in browser.text, "no captures are counted")
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    server.kill()
    browser.press("n")
    page.says("The image was not loaded: the server does not answer")
    server.start()

    assert page.shown() == capture_id(1)
    browser.until(lambda: "does not answer" not in browser.text, "the warning stays")


def test_a_second_look(browser: Browser, server: ReviewServer) -> None:
    """Past verdicts are a list; another one counts from then on."""
    page = ReviewPage(browser, server.url)
    for key in "rrw":
        page.give(key)
    page.stored(server, 3)
    page.button("Reviewed").click()
    browser.until(lambda: len(browser.all(".tile")) == 3, "the list has not three captures")
    browser.all(".tile")[2].click()
    browser.until(lambda: page.shown() == capture_id(0), "another capture is opened")
    page.says("right, by Ann")
    browser.press("u")
    lines = page.stored(server, 4)

    assert (lines[3]["id"], lines[3]["verdict"]) == (capture_id(0), "unusable")
    assert lines[3]["at"] > lines[0]["at"]


def test_captures_that_arrive_appear_and_filters_choose(
    browser: Browser, server: ReviewServer
) -> None:
    page = ReviewPage(browser, server.url)
    ReviewFolder(server.folder).put(20, value=99, camera="yard")

    page.says("By value 9")
    browser.press("f")
    browser.until(lambda: browser.all("select[name=camera] option[value=yard]"), "no camera yard")
    browser.one("select[name=camera] option[value=yard]").click()
    browser.until(lambda: page.shown() == capture_id(20), "the filter does not choose")
    page.says("1 left")

    assert "camera=yard" in browser.driver.current_url
    browser.driver.refresh()
    browser.until(lambda: page.shown() == capture_id(20), "the address forgets the filter")


def test_the_right_class_of_a_classifier_is_the_verdict(browser: Browser, tmp_path: Path) -> None:
    folder = ReviewFolder(tmp_path / "animals")
    names = ("cat", "dog")
    classes = [
        {"label": label, "class_id": number, "confidence": 0.9 - number / 2}
        for number, label in enumerate(names)
    ]
    for number in range(3):
        folder.put(number, value=9 - number, classes=classes, suspects=[])
    server = ReviewServer(folder.path)
    try:
        page = ReviewPage(browser, server.url)
        browser.press("l")
        page.type("ho")
        browser.press(Keys.ARROW_UP, Keys.ARROW_DOWN, Keys.ENTER)  # a new class: ho
        browser.until(lambda: page.shown() == capture_id(1), "no next image")
        page.button("dog").click()
        browser.until(lambda: page.shown() == capture_id(2), "no next image")
        browser.press("r")
        lines = page.stored(server, 3)
    finally:
        server.kill()

    said = [(line["verdict"], line.get("labels")) for line in lines]
    assert said == [("wrong", ["ho"]), ("wrong", ["dog"]), ("right", None)]


def test_outlines_poses_and_rotated_boxes_are_kept(browser: Browser, tmp_path: Path) -> None:
    """Untouched they stay as they are; a moved box takes its outline along."""
    folder = ReviewFolder(tmp_path / "shapes")
    outline: Shape = {"polygon": [[10, 20], [60, 25], [110, 20], [100, 70], [20, 65]]}
    pose: Shape = {"keypoints": [[60 + n % 5 * 5, 25 + n // 5 * 10, 0.9] for n in range(17)]}
    turned: Shape = {"corners": [[10, 45], [60, 20], [110, 45], [60, 70]]}
    for number, (task, shape) in enumerate(zip(TASKS, (outline, pose, turned), strict=True)):
        model = {"name": "m", "sha256": str(number), "task": task, "keypoints": 17}
        car = {**CAR, **shape}
        folder.put(number, value=9 - number, model=model, detections=[car], suspects=[])
    server = ReviewServer(folder.path)
    try:
        page = ReviewPage(browser, server.url)
        for _ in range(2):
            page.drag((130, 60), (190, 90))
            page.type("hen")
            browser.press(Keys.ENTER)
            page.give("m")
        browser.press(Keys.TAB, Keys.ARROW_RIGHT)  # one hundredth of the image's width
        page.says("Save: wrong")
        browser.press("r")
        lines = page.stored(server, 3)
    finally:
        server.kill()

    assert [each["boxes"][0] for each in lines[:2]] == [
        {"label": "car", "class_id": 2, "box": CAR["box"], **outline},
        {"label": "car", "class_id": 2, "box": CAR["box"], **pose},
    ]
    [moved] = lines[2]["boxes"]
    assert moved["box"] == [12.0, 20.0, 112.0, 70.0]
    assert moved["corners"] == [[x + 2, y] for x, y in turned["corners"]]
