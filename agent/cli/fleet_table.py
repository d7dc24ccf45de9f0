"""What `capture-agent fleet` shows on a terminal: totals, then each device with what to do."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from agent.fleet.devices import Condition, Device
from agent.fleet.fleet import Fleet
from agent.fleet.needs import captures
from agent.printable import printable
from agent.settings.units import show_span

_STYLES = {
    Condition.SILENT: "bold red",
    Condition.FAILING: "red",
    Condition.WAITING: "yellow",
    Condition.ATTENTION: "yellow",
    Condition.STOPPED: "",
    Condition.NO_HEARTBEAT: "",
    Condition.WELL: "green",
}
_CONDITION_WIDTH = max(len(each) for each in Condition)
_NAME_WIDTH = 30  # characters; a longer name moves the rest of its line
_NAME_MAX = 80
_SENTENCE_MAX = 1000


def lines_of(fleet: Fleet, *, show_all: bool = False) -> Iterator[RenderableType]:
    """Yield the lines, devices that need somebody first; those that are well with `show_all`."""
    yield from _totals(fleet)
    for note in fleet.notes:
        yield Text(f"Look here first: {printable(note, _SENTENCE_MAX)}.", "bold")
    chosen = [each for each in fleet.devices if show_all or each.condition is not Condition.WELL]
    names = [printable(each.name, _NAME_MAX) for each in chosen]
    width = min(max(map(len, names), default=0), _NAME_WIDTH)
    if chosen:
        yield Text()
    for device in chosen:
        yield from _device(device, width)
    well = fleet.totals.by_condition[Condition.WELL]
    if well and not show_all:
        yield Text()
        words = "1 device is well" if well == 1 else f"{well:,} devices are well"
        yield Text(f"{words}; --all lists {'it' if well == 1 else 'them'} too.")


def _totals(fleet: Fleet) -> Iterator[Text]:
    totals = fleet.totals
    words = [f"{totals.devices:,} device{'' if totals.devices == 1 else 's'}"]
    if totals.need_somebody:
        needs = "needs" if totals.need_somebody == 1 else "need"
        words.append(f"{totals.need_somebody:,} {needs} somebody")
    words += [f"{count:,} {name}" for name, count in totals.by_condition.items() if count]
    yield Text(", ".join(words), "bold")
    unit = "label" if totals.labels_per_day == 1 else "labels"
    labels = f"at most {totals.labels_per_day:,g} {unit} a day"
    if totals.unlimited:
        labels += f" and {totals.unlimited:,} without a budget"
    yield Text(f"{captures(totals.waiting)} waiting, {totals.delivered:,} delivered, {labels}")
    if fleet.usual.version is not None or fleet.usual.model is not None:
        model = printable(fleet.usual.model or "-", _NAME_MAX)
        yield Text(f"most have version {printable(fleet.usual.version or '-')}, model {model}")


def _device(device: Device, width: int) -> Iterator[RenderableType]:
    line = Text(f"{device.condition:<{_CONDITION_WIDTH}}  ", _STYLES[device.condition])
    line.append(f"{printable(device.name, _NAME_MAX):<{width}}", "bold")
    seen = "never seen" if device.seen_s is None else f"seen {show_span(device.seen_s)} ago"
    line.append(f"  {seen:<15}  {device.waiting:,} waiting", "")
    yield line
    words = [device.sentence] if device.sentence else [_well(device)]
    words += list(device.marks)
    for text in words:
        yield Padding(Text(printable(text, _SENTENCE_MAX)), (0, 0, 0, 2), expand=False)


def _well(device: Device) -> str:
    cameras = ", ".join(f"{each.name} {each.words}" for each in device.cameras)
    return f"{cameras or 'no camera'}; {device.delivered:,} delivered"
