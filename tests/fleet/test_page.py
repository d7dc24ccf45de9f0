"""The page of a fleet: whole without a script, and every text of a device is only a text."""

import pytest

from agent.fleet import page
from agent.fleet.devices import Problem, Reports
from agent.fleet.fleet import fleet_of
from agent.fleet.page import page_of
from tests.fakes.clock import WALL
from tests.fakes.fleet import heartbeat, lost_camera, simulated_reports, status_fields
from tests.pages_read import HTML_LABEL, Page
from tests.record.device_statuses import camera_facts


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    return page


def test_a_thousand_devices_make_one_page_of_bounded_size() -> None:
    text = page_of(fleet_of(simulated_reports(1000), WALL), "dataset", is_served=True)
    found = parsed(text)

    assert found.tags.count("tr") == 1 + 1001
    assert len(text) < 1_500_000
    assert found.sources == ["data:,"]
    assert "1,001 devices of dataset" in found.text


@pytest.mark.parametrize("served", [True, False])
def test_only_the_page_of_a_server_may_ask_it_again(*, served: bool) -> None:
    text = page_of(fleet_of(simulated_reports(3), WALL), "dataset", is_served=served)

    assert ("connect-src 'self'" in text) is served
    assert ('data-refresh="30"' in text) is served


def test_the_next_credit_of_a_small_budget_is_told_while_the_device_sends() -> None:
    fields = status_fields(credits_left=0.4, next_credit_s=1.2 * 86_400)
    told = [
        "the next in 1.2 d" in page_of(fleet_of(Reports((heartbeat(fields),)), at), "dataset")
        for at in (WALL, WALL + 86_400)
    ]

    assert told == [True, False]


def test_hostile_texts_are_shown_as_texts() -> None:
    """Anybody who has the token may have written them; control characters never come this far."""
    fields = status_fields(
        HTML_LABEL,
        version=HTML_LABEL,
        model=HTML_LABEL,
        model_sha256=HTML_LABEL,
        last_error=HTML_LABEL,
        cameras=[lost_camera(HTML_LABEL, error=HTML_LABEL), camera_facts("\u202egnp.exe")],
        needs=[HTML_LABEL, "\x1b[31m red", "</table></main>"],
    )
    reports = Reports(
        (heartbeat(fields),),
        {"\u202ename \x00\x1b[2J <b>": WALL},
        (Problem(f"{HTML_LABEL}\x1b", HTML_LABEL),),
    )
    text = page_of(fleet_of(reports, WALL), HTML_LABEL)
    found = parsed(text)

    assert found.tags.count("script") == 1
    assert "alert('&')" in found.text
    assert found.tags.count("table") == found.tags.count("main") == 1
    assert not {"\x1b", "\u202e", "\x00"} & set(text)
    assert r"\u202ename \x00\x1b[2J <b>" in found.text


def test_a_fleet_without_end_has_a_page_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "ROWS_MAX", 20)
    beats = tuple(heartbeat(status_fields(f"gate-{n}")) for n in range(25))
    found = parsed(page_of(fleet_of(Reports(beats), WALL), "dataset"))

    assert found.tags.count("tr") == 1 + 20
    assert "5 more devices" in found.text


def test_an_empty_fleet_has_a_page() -> None:
    found = parsed(page_of(fleet_of(Reports(), WALL), "dataset"))

    assert "0 devices of dataset" in found.text
