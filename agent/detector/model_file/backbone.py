"""Follows the image through the nodes of a graph: which tensors are maps of it, at which stride.

A map is a tensor `[batch, channels, height / stride, width / stride]`. The walk ends where a map is
enlarged: the neck of a detector begins there, and what depends on it is no longer the backbone.
Nodes are visited once, producers first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agent.detector.model_file.graph_nodes import Constants, Node

NCHW, NHWC = "NCHW", "NHWC"
FOLDED, RESHAPED, SHUFFLED = "folded", "reshaped", "shuffled"
"""Channels are split into two axes; perhaps, as the shape is unknown; the two are exchanged."""

ENLARGE = frozenset({"Resize", "Upsample", "ConvTranspose", "DepthToSpace", "GridSample"})
QUANTIZED = frozenset(
    {"QuantizeLinear", "QLinearConv", "ConvInteger", "QLinearAdd", "DynamicQuantizeLinear"}
)
CONVOLUTIONS = frozenset({"Conv", "FusedConv"})
POOLS = frozenset({"MaxPool", "AveragePool", "LpPool"})
UNCHANGED = frozenset({"Identity", "Cast", "CastLike", "Dropout", "Pad"})
NORMALIZATIONS = frozenset(
    {"BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization"}
)
ACTIVATIONS = frozenset(
    {
        "Abs", "Celu", "Clip", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish",
        "LeakyRelu", "LRN", "Mish", "PRelu", "QuickGelu", "Relu", "Selu", "Sigmoid", "Softplus",
        "Softsign", "Sqrt", "Tanh", "ThresholdedRelu",
    }
)  # fmt: skip
COMBINE = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"})
MEASURE = frozenset({"Shape", "Size"})  # their outputs are numbers about a map, not the image

_SAME = UNCHANGED | NORMALIZATIONS | ACTIVATIONS
_SHUFFLE = (0, 2, 1, 3, 4)
_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
_AXES = 4


@dataclass(frozen=True, slots=True)
class Map:
    """What is known of a tensor that is a map of the image."""

    stride: tuple[int, int]  # down and across, in pixels of the model's input
    channels: int = 0  # 0 = unknown
    layout: str = NCHW


class Backbone:
    """The maps of a graph before its neck."""

    def __init__(self, image: str, layout: str, constants: Constants) -> None:
        """Begin with the input `image`, which has this layout."""
        self.maps: dict[str, Map] = {image: Map((1, 1), 3, layout)}
        self.derived: set[str] = {image}
        """Tensors that depend on the image and on nothing that was enlarged."""
        self.is_quantized = False
        self._beyond: set[str] = set()  # tensors that depend on an enlarged map
        self._constants = constants
        self._steps: dict[str, Callable[[Node, Map], Map | None]] = {
            **dict.fromkeys(CONVOLUTIONS | POOLS, self._strided),
            "Reshape": self._folded,
            "Slice": self._sliced,
            "SpaceToDepth": _rearranged,
            "Split": _split,
            "Transpose": _transposed,
        }

    def visit(self, node: Node) -> None:
        """Take the next node."""
        inputs = [name for name in node.inputs if name]
        if not self._beyond.isdisjoint(inputs):
            self._beyond.update(node.outputs)
            return
        if self.derived.isdisjoint(inputs) or node.kind in MEASURE:
            self._constants.visit(node)
            return
        if node.kind in ENLARGE:
            self._beyond.update(node.outputs)
            return
        self.derived.update(node.outputs)
        if node.kind in QUANTIZED:
            self.is_quantized = True
            return
        found = self._result(node, [self.maps.get(name) for name in node.inputs])
        if found is not None and len(node.outputs) >= 1:
            self.maps.update(dict.fromkeys(node.outputs, found))

    def _result(self, node: Node, inputs: Sequence[Map | None]) -> Map | None:
        """Return what a node's outputs are; None if they are no maps."""
        first = inputs[0] if inputs else None
        kind = node.kind
        if kind in COMBINE:
            return _combined(inputs)
        if kind == "Concat":
            return self._concatenated(node, inputs)
        if first is None or kind in _SAME:
            return first
        step = self._steps.get(kind)
        return step(node, first) if step is not None else None

    def _strided(self, node: Node, before: Map) -> Map | None:
        strides = node.numbers("strides") or (1, 1)
        if before.layout != NCHW or len(strides) != 2:  # noqa: PLR2004  # down and across
            return None
        channels = before.channels
        if node.kind in CONVOLUTIONS:
            shape = self._constants.shape(node.inputs[1]) if len(node.inputs) > 1 else None
            channels = shape[0] if shape and len(shape) == _AXES else 0
        return _shrunk(replace(before, channels=channels), *strides)

    def _concatenated(self, node: Node, inputs: Sequence[Map | None]) -> Map | None:
        found = _combined(inputs)
        if found is None or not _is_channel_axis(node, found):
            return None
        channels = [each.channels if each is not None else 0 for each in inputs]
        return replace(found, channels=sum(channels) if all(channels) else 0)

    def _sliced(self, node: Node, before: Map) -> Map | None:
        """Return the map after a slice: of channels, or of every nth row or column (Focus)."""
        if before.layout != NCHW:
            return None
        axes, steps = self._axes_and_steps(node)
        if axes is None or steps is None:
            return None
        strides = {axis % _AXES: step for axis, step in zip(axes, steps, strict=False)}
        if any(step < 1 for step in strides.values()):
            return None
        channels = 0 if 1 in [axis % _AXES for axis in axes] else before.channels
        return _shrunk(replace(before, channels=channels), strides.get(2, 1), strides.get(3, 1))

    def _axes_and_steps(self, node: Node) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
        """Return the axes and steps of a slice; None for what the graph computes."""
        if len(node.inputs) == 1:  # opset 9 and older
            count = len(node.numbers("starts") or ())
            return node.numbers("axes") or tuple(range(count)), ()
        starts, _, axes, steps = (*node.inputs[1:], "", "", "")[:4]
        found = self._constants.numbers(axes)
        if not axes:
            known = self._constants.numbers(starts)
            found = None if known is None else tuple(range(len(known)))
        return found, self._constants.numbers(steps) if steps else ()

    def _folded(self, node: Node, before: Map) -> Map | None:
        """Return the map after a reshape that splits or joins the channels, to shuffle them.

        Many graphs compute the new shape. The transpose that follows then tells.
        """
        shape = self._constants.numbers(node.inputs[1]) if len(node.inputs) > 1 else None
        if before.layout == NCHW and (shape is None or len(shape) == _AXES + 1):
            return replace(before, layout=FOLDED if shape else RESHAPED)
        if before.layout == SHUFFLED and (shape is None or len(shape) == _AXES):
            return replace(before, layout=NCHW)
        return None


def _combined(inputs: Sequence[Map | None]) -> Map | None:
    """Return the map that maps of one stride give together; vectors and constants do not count."""
    found = [each for each in inputs if each is not None]
    if not found or any(
        (each.stride, each.layout) != (found[0].stride, found[0].layout) for each in found
    ):
        return None
    return replace(found[0], channels=max(each.channels for each in found))


def _shrunk(before: Map, down: int, across: int) -> Map | None:
    if down < 1 or across < 1:
        return None
    return replace(before, stride=(before.stride[0] * down, before.stride[1] * across))


def _rearranged(node: Node, before: Map) -> Map | None:
    size = node.number("blocksize", 1)
    return _shrunk(replace(before, channels=0), size, size)


def _split(node: Node, before: Map) -> Map | None:
    return replace(before, channels=0) if _is_channel_axis(node, before) else None


def _transposed(node: Node, before: Map) -> Map | None:
    order = node.numbers("perm")
    if before.layout in (FOLDED, RESHAPED) and order == _SHUFFLE:
        return replace(before, layout=SHUFFLED)
    if (before.layout, order) == (NHWC, _TO_NCHW):
        return replace(before, layout=NCHW)
    if (before.layout, order) == (NCHW, _TO_NHWC):
        return replace(before, layout=NHWC)
    return None


def _is_channel_axis(node: Node, of: Map) -> bool:
    axis = node.number("axis", 0)
    return axis in ((1, -3) if of.layout == NCHW else (3, -1))
