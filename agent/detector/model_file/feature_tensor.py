"""Chooses the tensor of a graph whose mean over a box tells what an object looks like.

The rule: the last map of stride 16 in the backbone that everything of stride 32 is made from. There
the objects are recognized, and not yet mixed with the levels above as in the neck. Of such maps
the last one after an activation (or a sum or join of activated maps) is taken, because values
before an activation say less. Maps of fewer than 64 channels are too poor.

Models whose backbone is not made of such maps have none: transformers that cut the image into
patches, quantized graphs, and graphs that resize the image themselves. All works without.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.detector.letterbox import Size
from agent.detector.model_file.backbone import (
    CONVOLUTIONS,
    NCHW,
    NHWC,
    NORMALIZATIONS,
    POOLS,
    UNCHANGED,
    Backbone,
)
from agent.detector.model_file.graph_nodes import MainGraph, Node
from agent.detector.model_file.node_order import in_order
from agent.domain import FloatArray

STRIDE = 16
LEAST_CHANNELS = 64
MOST_CHANNELS = 4096
"""No backbone has more at this stride; bounds the memory of a map."""

_MAP_AXES = 3  # without the batch
_MOST_APART = 2  # cells: four halvings, each with its own rounding
_MOVES = {"Reshape", "Slice", "Split", "Transpose"}
_PLAIN = CONVOLUTIONS - {"FusedConv"} | NORMALIZATIONS | UNCHANGED | POOLS | _MOVES


@dataclass(frozen=True, slots=True)
class FeatureTensor:
    """The tensor of a graph that features are made from; no name: there is none."""

    name: str = ""
    reason: str = ""  # why there is none


def choose_feature_tensor(model: memoryview) -> FeatureTensor:
    """Choose from the bytes of a ModelProto; never raises for a file of any content."""
    try:
        return _choose(MainGraph.read(model))
    except ValueError as error:
        return FeatureTensor(reason=f"its graph cannot be read: {error}")


def wrong_map(found: FloatArray, size: Size) -> str:
    """Return why what a run returned is not the expected map `[channels, height, width]`; or "".

    Args:
        found: The tensor of the trial run.
        size: Of the model's input in this run.
    """
    sides = size.height / STRIDE, size.width / STRIDE
    if found.ndim != _MAP_AXES or any(
        abs(cells - side) >= _MOST_APART for cells, side in zip(found.shape[1:], sides, strict=True)
    ):
        return f"the tensor that seemed to be its map of stride {STRIDE} has another shape"
    if not LEAST_CHANNELS <= found.shape[0] <= MOST_CHANNELS:
        return f"its map of stride {STRIDE} has {found.shape[0]} channels"
    if not np.isfinite(found).all():
        return f"its map of stride {STRIDE} has values that are not finite"
    return ""


def _choose(graph: MainGraph) -> FeatureTensor:
    image = graph.image()
    if image is None:
        return FeatureTensor(reason="it has no input of a batch of images")
    name, is_nhwc = image
    backbone = Backbone(name, NHWC if is_nhwc else NCHW, graph.constants)
    nodes = in_order(graph.nodes)
    for node in nodes:
        backbone.visit(node)
    if backbone.is_quantized:
        return FeatureTensor(reason="its maps are quantized")
    found = _trunk(nodes, backbone)
    if not found:
        return FeatureTensor(reason=f"no map of stride {STRIDE} leads to one of {2 * STRIDE}")
    kinds = {output: node.kind for node in nodes for output in node.outputs}
    activated = [each for each in found if kinds.get(each) not in _PLAIN]
    chosen = (activated or found)[-1]
    channels = backbone.maps[chosen].channels
    if channels and not LEAST_CHANNELS <= channels <= MOST_CHANNELS:
        return FeatureTensor(reason=f"its map of stride {STRIDE} has {channels} channels")
    if chosen in graph.outputs:
        return FeatureTensor(reason=f"its map of stride {STRIDE} is an output already")
    return FeatureTensor(chosen)


def _trunk(nodes: Sequence[Node], backbone: Backbone) -> list[str]:
    """Return the maps of stride 16 that all of stride 32 depends on, in order."""
    goals = {
        output
        for node in nodes
        if any(_stride(backbone, name) == STRIDE for name in node.inputs)
        for output in node.outputs
        if _stride(backbone, output) == 2 * STRIDE
    }
    needed = set(goals)
    steps = []
    for node in reversed(nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(name for name in node.inputs if name in backbone.derived)
            steps.append(node)
    steps.reverse()
    last_use = {name: at for at, node in enumerate(steps) for name in node.inputs}
    live = set[str]()
    found = []
    for at, node in enumerate(steps):
        live.update(name for name in node.outputs if name in needed)
        live.difference_update(
            name for name in node.inputs if last_use[name] == at and name not in goals
        )
        if len(live) == 1 and not live & goals:
            (only,) = live
            known = backbone.maps.get(only)
            if known is not None and known.layout == NCHW and known.stride == (STRIDE, STRIDE):
                found.append(only)
    return list(dict.fromkeys(found))


def _stride(backbone: Backbone, name: str) -> int:
    """Return the stride of a map that is the same in both directions; 0 for anything else."""
    known = backbone.maps.get(name)
    return known.stride[0] if known is not None and known.stride[0] == known.stride[1] else 0
