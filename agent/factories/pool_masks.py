"""Which images of a pool AGENT_MASKS are painted over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import ConfigurationError
from agent.printable import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from agent.camera.masks import CameraMask
    from agent.pool.items import PoolItem

_MOST_NAMED = 5  # cameras in a message


def pool_masks_of(masks: tuple[CameraMask, ...], item: PoolItem) -> Sequence[CameraMask]:
    """Return the masks of the camera that an item is of; without a name they are of each item.

    Captures have the masks of their device already.
    """
    from agent.camera.masks import masks_of
    from agent.pool.items import ItemKind

    if not masks or item.kind is ItemKind.CAPTURE:
        return ()
    names = {mask.camera for mask in masks}
    name = next((each for each in _names_of(item.camera) if each in names), "")
    return masks_of(masks, name)


def check_masks(masks: tuple[CameraMask, ...], items: Iterable[PoolItem]) -> None:
    """Raise `ConfigurationError` for a mask that fits no image or recording of a pool.

    Its camera may be misspelt, and nobody would see that its images are not masked. In a pool of
    captures alone any mask may be one of their devices.
    """
    from agent.pool.items import ItemKind

    wanted = dict.fromkeys(mask.camera for mask in masks if mask.camera)
    if not wanted:
        return
    cameras = sorted({each.camera for each in items if each.kind is not ItemKind.CAPTURE})
    known = {name for camera in cameras for name in _names_of(camera)}
    unknown = [name for name in wanted if name not in known]
    if unknown and cameras:
        raise ConfigurationError("\n".join(_unknown(name, cameras, known) for name in unknown))


def _names_of(camera: str) -> Iterator[str]:
    """Yield what a mask may call a camera: that of `yard/gate.mp4` is `gate` too."""
    last = camera.rpartition("/")[2]
    yield from (camera, last)
    if "." in last:
        yield last.rpartition(".")[0]


def _unknown(name: str, cameras: Sequence[str], known: Collection[str]) -> str:
    from agent.camera.masks import closest_camera

    near = closest_camera(name, sorted(known))
    hint = f"; did you mean {printable(near)!r}?" if near else "."
    shown = [repr(printable(each)) for each in cameras[:_MOST_NAMED]]
    if len(cameras) > _MOST_NAMED:
        shown.append(f"{len(cameras) - _MOST_NAMED} others")
    listed = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    return (
        f"cannot use AGENT_MASKS: no image or recording of this pool is of camera "
        f"{printable(name)!r}{hint} The cameras of the pool have the names of folders and "
        f"recordings: {listed}. Name one of them, or leave this mask out"
    )
