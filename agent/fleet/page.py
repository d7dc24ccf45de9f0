"""The page of a fleet: who needs somebody first, then all the others, in one file.

The rows are in the page itself, so that it can be read without a script and be sent to somebody.
The script filters and sorts them, and where a receiver serves the page, asks for it again.
"""

from collections.abc import Iterator
from html import escape

from agent.fleet.devices import Condition
from agent.fleet.fleet import Fleet
from agent.fleet.page_rows import COLUMNS, row, shown
from agent.fleet.page_script import SCRIPT
from agent.fleet.page_style import PAGE_STYLE
from agent.pages.document import document, tiles
from agent.record.timestamp import timestamp

ROWS_MAX = 3000
"""Devices on one page: the needy come first, and no browser likes more."""

REFRESH_S = 30
"""Seconds between two looks of a page that is served."""

_PROBLEMS_MAX = 20
_MILLION = 1_000_000


def page_of(fleet: Fleet, name: str, *, is_served: bool = False) -> str:
    """Return the page of a fleet that is kept at `name`; one that is served stays up to date."""
    when = timestamp(fleet.made_at)[:19].replace("T", " ")
    refresh = f' data-refresh="{REFRESH_S}"' if is_served else ""
    return document(
        f"Fleet of {shown(name)}",
        "Fleet",
        f"{_count(fleet.totals.devices, 'device')} of {shown(name)}, at {when} UTC",
        [
            f'<div id="fleet"{refresh}>',
            '<p id="stale" class="warning" role="status" hidden></p>',
            *_notes(fleet),
            *tiles(_figures(fleet)),
            *_filters(fleet),
            *_table(fleet),
            "</div>",
        ],
        style=PAGE_STYLE,
        script=SCRIPT,
        asks_own_server=is_served,
    )


def _notes(fleet: Fleet) -> Iterator[str]:
    yield '<div id="notes">'
    for note in fleet.notes:
        yield f'<p class="warning"><b>Look here first:</b> {escape(shown(note, 600))}.</p>'
    if fleet.problems:
        named = [f"{shown(each.name)}: {shown(each.why)}" for each in fleet.problems]
        items = "".join(f"<li>{escape(each)}</li>" for each in named[:_PROBLEMS_MAX])
        more = len(named) - _PROBLEMS_MAX
        items += f"<li>and {more:,} more</li>" if more > 0 else ""
        count = _count(len(named), "file")
        yield f'<details class="warning"><summary>{count} of devices/ cannot be shown</summary>'
        yield f"<ul>{items}</ul></details>"
    yield "</div>"


def _figures(fleet: Fleet) -> Iterator[tuple[object, str, str]]:
    totals = fleet.totals
    silent = totals.by_condition[Condition.SILENT]
    yield f"{totals.devices:,}", "devices", f"{totals.by_condition[Condition.WELL]:,} well"
    yield f"{totals.need_somebody:,}", "need somebody", f"{silent:,} of them silent"
    yield f"{totals.waiting:,}", "captures waiting", "on all devices"
    delivered = totals.delivered
    shown_of_it = f"{delivered / _MILLION:,.2f} M" if delivered >= _MILLION else f"{delivered:,}"
    yield shown_of_it, "captures delivered", f"{delivered:,} by all devices"
    more = f"{totals.unlimited:,} more without a budget" if totals.unlimited else "all budgets"
    yield f"{totals.labels_per_day:,g}", "labels a day at most", more


def _filters(fleet: Fleet) -> Iterator[str]:
    counts = fleet.totals.by_condition
    yield '<div class="filters" role="search">'
    yield (
        '<label>Filter <input id="filter" type="search" autocomplete="off" spellcheck="false" '
        'placeholder="name, camera, version, error"></label>'
    )
    yield '<div class="chips" role="group" aria-label="Conditions">'
    needy = fleet.totals.need_somebody
    for key, words, count in (
        ("", "all", fleet.totals.devices),
        ("needs", "need somebody", needy),
        *((str(each), str(each), counts[each]) for each in Condition if counts[each]),
    ):
        kind = escape(key.replace(" ", "-"))
        yield (
            f'<button type="button" class="chip {kind}" data-show="{escape(key)}" '
            f'aria-pressed="false">{escape(words)} <b>{count:,}</b></button>'
        )
    yield '</div><p id="count" role="status"></p></div>'


def _table(fleet: Fleet) -> Iterator[str]:
    heads = "".join(
        f'<th scope="col" class="{kind}"><button type="button">{escape(words)}</button></th>'
        for kind, words in COLUMNS
    )
    yield '<table id="devices"><caption>Devices, those that need somebody first</caption>'
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for device in fleet.devices[:ROWS_MAX]:
        yield row(device)
    yield "</tbody></table>"
    more = len(fleet.devices) - ROWS_MAX
    if more > 0:
        yield (
            f'<p id="more">{_count(more, "more device")}, none in a worse condition than the last '
            "one above: <code>capture-agent fleet --json</code> lists all.</p>"
        )


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
