"""One row of the page for each device. Every text of a device is escaped here."""

from collections.abc import Iterator
from html import escape

from agent.fleet.devices import Camera, Condition, Device
from agent.printable import printable
from agent.record.timestamp import timestamp
from agent.settings.units import show_size, show_span

COLUMNS = (
    ("device", "Device"),
    ("seen", "Last seen"),
    ("cameras", "Cameras"),
    ("waiting", "Waiting"),
    ("delivered", "Delivered"),
    ("credits", "Credits"),
    ("software", "Version, model"),
)
"""Class and head of each column."""

_NAME_MAX = 80  # characters
_SOFTWARE_MAX = 40
_SENTENCE_MAX = 1000
_ERROR_MAX = 200
_CAMERA_MAX = 90
_CAMERAS_MAX = 4  # of one device; those that are not well come first
_HASH_LENGTH = 12


def shown(text: object, limit: int = 200) -> str:
    """Return a text for a person, not escaped yet: no control characters, no changed direction."""
    return printable(text, limit)


def row(device: Device) -> str:
    """Return the row of a device. A cell has in `data-v` what its column is sorted by."""
    condition = str(device.condition).replace(" ", "-")
    condition += " past" if device.is_past else ""
    needs = ' data-needs="1"' if device.condition.needs_somebody else ""
    return (
        f'<tr class="{condition}" data-show="{escape(str(device.condition))}"{needs}>'
        f"{_device(device)}{_seen(device)}{_cameras(device)}{_waiting(device)}"
        f"{_delivered(device)}{_credits(device)}{_software(device)}</tr>"
    )


def _device(device: Device) -> str:
    words = [f"<b>{_text(device.name, _NAME_MAX)}</b> {_chip(device)}"]
    if device.sentence:
        words.append(f"<p>{_text(device.sentence, _SENTENCE_MAX)}</p>")
    if device.last_error and shown(device.last_error) not in device.sentence:
        words.append(f"<small>last error: {_text(device.last_error, _ERROR_MAX)}</small>")
    words += [f"<small>{_text(mark)}</small>" for mark in device.marks]
    return f'<th scope="row" class="device">{"".join(words)}</th>'


def _chip(device: Device) -> str:
    word = device.condition.value
    if device.condition is not Condition.SILENT and device.needs:
        word = device.needs[0].word
    return f'<span class="chip">{escape(word)}</span>'


def _seen(device: Device) -> str:
    if device.seen_at is None or device.seen_s is None:
        return _cell("seen", "Last seen", "never", value=-1)
    inner = f'<time datetime="{timestamp(device.seen_at)}">{show_span(device.seen_s)} ago</time>'
    return _cell("seen", "Last seen", inner, value=device.seen_at)


def _cameras(device: Device) -> str:
    if not device.cameras:
        return _cell("cameras", "Cameras", "", value=-1)
    order = sorted(device.cameras, key=lambda each: each.is_well)
    items = "".join(_camera(each) for each in order[:_CAMERAS_MAX])
    more = len(order) - _CAMERAS_MAX
    items += f'<li class="more">{more} more</li>' if more > 0 else ""
    lost = sum(not each.is_well for each in device.cameras)
    return _cell("cameras", "Cameras", f"<ul>{items}</ul>", value=lost)


def _camera(camera: Camera) -> str:
    kind = "good" if camera.is_well else "bad"
    words = camera.words
    if camera.error and camera.state == "live":  # of others, the sentence has it
        words = f"{words}: {camera.error}"
        words = words if len(words) <= _CAMERA_MAX else f"{words[: _CAMERA_MAX - 3]}..."
    return f'<li class="{kind}">{_text(camera.name, _NAME_MAX)} {_text(words)}</li>'


def _waiting(device: Device) -> str:
    if device.seen_at is None:
        return _cell("waiting", "Waiting", "", value=-1)
    inner = [f"{device.waiting:,}"]
    if device.waiting:
        inner.append(f"<small>{show_size(device.waiting_bytes)}</small>")
        if device.oldest_waiting_s is not None:
            inner.append(f"<small>oldest {show_span(device.oldest_waiting_s)}</small>")
    return _cell("waiting", "Waiting", "".join(inner), value=device.waiting)


def _delivered(device: Device) -> str:
    inner = [] if device.seen_at is None else [f"{device.delivered:,}"]
    if device.received:
        inner.append(f"<small>{device.received:,} received here since its start</small>")
    return _cell("delivered", "Delivered", "".join(inner), value=device.delivered)


def _credits(device: Device) -> str:
    left, budget = device.credits_left, device.budget_per_day
    if left is None:
        return _cell("credits", "Credits", "", value=-2)
    if left < 0:
        return _cell("credits", "Credits", "no limit", value=-1)
    shown = f"{left:,.1f}" if budget is None or budget >= 1 else f"{left:.2f}"  # 0.97 is none yet
    if budget is not None:
        shown += f"<small>{budget:,g} a day</small>"
    if budget is not None and budget < 1 and device.next_credit_s and not device.is_past:
        shown += f"<small>the next in {show_span(device.next_credit_s)}</small>"
    return _cell("credits", "Credits", shown, value=left)


def _software(device: Device) -> str:
    return _cell("software", "Version, model", "".join(_software_parts(device)))


def _software_parts(device: Device) -> Iterator[str]:
    if device.version is not None:
        kind = ' class="other"' if device.is_other_version else ""
        yield f"<span{kind}>{_text(device.version, _SOFTWARE_MAX)}</span>"
    if device.model is not None:
        kind = ' class="other"' if device.is_other_model else ""
        sha256 = _text((device.model_sha256 or "")[:_HASH_LENGTH])
        yield f"<small{kind}>{_text(device.model, _SOFTWARE_MAX)} <code>{sha256}</code></small>"


def _cell(kind: str, label: str, inner: str, *, value: float | None = None) -> str:
    sorted_by = "" if value is None else f' data-v="{value:.12g}"'
    return f'<td class="{kind}" data-label="{escape(label)}"{sorted_by}>{inner}</td>'


def _text(text: object, limit: int = 200) -> str:
    return escape(shown(text, limit))
