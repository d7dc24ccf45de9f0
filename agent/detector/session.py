"""A model in onnxruntime: the only module that imports it.

Everything that can be wrong with a model file shows when it is opened: the file is read, its
checksum compared, the graph built, and run once. Whatever fails is a `ModelUnusable` that
names the file, what was seen, and the fix; a session that exists works.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as raised

from agent.detector.formats.contract import ChannelOrder, ModelSignature, Preprocessing, Tensor
from agent.detector.image_input import TYPES, Axes, ImageInput
from agent.detector.letterbox import Padding, Size
from agent.detector.model_file.file import verified
from agent.detector.model_file.metadata import read_metadata
from agent.detector.preprocessing import Prepared
from agent.detector.providers import (
    ANY_HARDWARE,
    Hardware,
    Provider,
    is_auto,
    wanted_providers,
)
from agent.domain import FloatArray
from agent.errors import ConfigurationError, ModelUnusable

# onnxruntime's exceptions have no base of their own.
MODEL_ERRORS = (
    raised.EPFail,
    raised.EngineError,
    raised.Fail,
    raised.InvalidArgument,
    raised.InvalidGraph,
    raised.InvalidProtobuf,
    raised.NoModel,
    raised.NoSuchFile,
    raised.NotImplemented,
    raised.RuntimeException,
    RuntimeError,
    ValueError,
)

NUMPY_NAMES = {"float": "float32", "double": "float64"}  # where onnxruntime calls it otherwise
SIZE_INPUTS = ("orig_target_sizes", "orig_target_size", "target_sizes")
SQUARE = Size(640, 640)
SMALL = Size(224, 224)  # what classifiers are trained at
STRIDE = 32
WIDE = Size(16, 9)


class OnnxSession:
    """A loaded model. `run` may be called by several threads at once."""

    def __init__(
        self, path: Path, *, sha256: str | None = None, hardware: Hardware = ANY_HARDWARE
    ) -> None:
        """Load the model and run it once.

        Args:
            path: An ONNX file.
            sha256: The hex digest that the file must have, or None for any.
            hardware: What it runs on.

        Raises:
            ModelUnusable: The file is missing, is no model, has another checksum, an input or
                outputs that no format has, or cannot run.
            ConfigurationError: It cannot run on each named provider.
        """
        self.path = path
        available = onnxruntime.get_available_providers()
        wanted = wanted_providers(hardware.providers, available, engines=hardware.engines)
        self.file, self._session = verified(
            path, sha256, lambda: _open(path, wanted, hardware.threads)
        )
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        if not is_auto(hardware.providers):
            _require_used(wanted, self.providers)
        self._inputs = [_tensor(each) for each in self._session.get_inputs()]
        self._outputs = [_tensor(each) for each in self._session.get_outputs()]
        self.picture = self._inspected()
        self._only: Size | None = None
        self.signature = self._tried()

    @property
    def batch_waste(self) -> str | None:
        """What of each run is done for nothing, and what fixes it; None where nothing is."""
        batch = self.picture.batch
        if batch == 1:
            return None
        return (
            f"the model {self.path} takes {batch} pictures at once and gets one, so each frame "
            f"costs {batch} times as much as it need; export it with a batch of 1"
        )

    @property
    def provider(self) -> str:
        """The execution provider that comes first, as onnxruntime reports it after loading."""
        return self.providers[0]

    def shares(self) -> dict[str, float]:
        """Return the share of the graph's nodes on each provider; empty if it is not told."""
        told = getattr(self._session, "get_provider_graph_assignment_info", None)
        try:
            parts = [(part.ep_name, len(part.get_nodes())) for part in told()] if told else []
        except MODEL_ERRORS:
            return {}
        total = sum(nodes for _, nodes in parts)
        counts: dict[str, int] = {}
        for name, nodes in parts:
            counts[name] = counts.get(name, 0) + nodes
        return {name: nodes / total for name, nodes in counts.items()}

    def input_size(self, frame: Size, wanted: Preprocessing) -> Size:
        """Return the input to use for a frame: the model's own, or what suits on free axes."""
        return self._only or self.picture.size_for(frame, wanted)

    def run(
        self, tensor: Prepared, size: Size, outputs: Sequence[int] | None = None
    ) -> list[FloatArray]:
        """Return outputs as float32.

        Args:
            tensor: The image as `image` holds it.
            size: The image's size.
            outputs: Which, by their index; None for all, in the model's order.
        """
        feed: dict[str, object] = {self._inputs[0].name: tensor}
        for other in self._inputs[1:]:
            sides = np.array([[size.width, size.height]], other.dtype)
            feed[other.name] = np.repeat(sides, self.picture.batch, axis=0)
        indices = range(len(self._outputs)) if outputs is None else outputs
        names = [self._outputs[index].name for index in indices]
        arrays = [np.asarray(each, np.float32) for each in self._session.run(names, feed)]
        if self.picture.batch == 1:
            return arrays
        return [
            array[:1] if self._outputs[index].shape[:1] == (self.picture.batch,) else array
            for index, array in zip(indices, arrays, strict=True)
        ]

    def forget_trial(self) -> None:
        """Free what the trial run gave, which nobody needs once the format is known."""
        self.signature = replace(self.signature, values=())

    def _inspected(self) -> ImageInput:
        """Return how the first input takes an image; others may only ask for its size."""
        picture = ImageInput.of(self._inputs[0]) if self._inputs else None
        others_fit = all(
            each.name in SIZE_INPUTS and each.shape in ((picture and picture.batch, 2), (None, 2))
            for each in self._inputs[1:]
        )
        if picture is None or not others_fit:
            raise ModelUnusable(
                f"cannot use the model {self.path}: it must have one input [1, 3, height, width] "
                f"or [1, height, width, 3] of {', '.join(TYPES[:-1])} or {TYPES[-1]}, but it has "
                f"{_seen(self._inputs, self._outputs)}; set AGENT_MODEL to an export with such an "
                "input"
            )
        return picture

    def _tried(self) -> ModelSignature:
        """Run once on an image of greys, and so learn what the outputs look like."""
        metadata = read_metadata(self._session.get_modelmeta().custom_metadata_map)
        first_error: BaseException | None = None
        sizes = self._sizes_to_try(metadata.size or SQUARE, metadata.stride or STRIDE)
        for size in sizes:
            try:
                arrays = self.run(_greys(self.picture, size), size)
            except (*MODEL_ERRORS, TypeError) as error:
                first_error = first_error or error
                continue
            if size != sizes[0]:
                self._only = size  # axes that only pretend to be free
            shaped = tuple(
                Tensor(output.name, array.shape, output.dtype)
                for output, array in zip(self._outputs, arrays, strict=True)
            )
            sized = len(self._inputs) > 1
            return ModelSignature(self._inputs[0], shaped, size, metadata, tuple(arrays), sized)
        tried = ", ".join(f"{size.width}x{size.height}" for size in sizes)
        raise ModelUnusable(
            f"cannot run the model {self.path} at {tried}: {_line(first_error)} "
            f"(it has {_seen(self._inputs, self._outputs)}); set AGENT_MODEL to an export "
            "that runs, with fixed axes if need be"
        ) from first_error

    def _sizes_to_try(self, limit: Size, stride: int) -> list[Size]:
        """A rectangle first: a graph that only pretends that its axes are free fails there."""
        if self.picture.fixed:
            return [self.picture.fixed]
        free = Preprocessing(ChannelOrder.RGB, (0,) * 3, (1,) * 3, Padding.AFTER, 0, stride, limit)
        wide = self.picture.size_for(WIDE, free)
        squares = [
            Size(self.picture.width or side.width, self.picture.height or side.height)
            for side in (limit, SMALL)
        ]
        return list(dict.fromkeys([wide, *squares]))


def _open(path: Path, providers: Sequence[Provider], threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that spins while it waits for the next frame burns a core at 5 frames a second.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    options.log_severity_level = 3  # errors; what matters of warnings is checked here
    named = [(each.name, dict(each.options)) if each.options else each.name for each in providers]
    try:
        return onnxruntime.InferenceSession(path, options, providers=named)
    except MODEL_ERRORS as error:
        raise ModelUnusable(
            f"cannot load the model {path}: {_line(error)}; set AGENT_MODEL to an ONNX file that "
            f"onnxruntime {onnxruntime.__version__} reads"
        ) from error


def _require_used(wanted: Sequence[Provider], used: tuple[str, ...]) -> None:
    """Refuse the fall-back to the CPU that onnxruntime makes without a word."""
    unused = [each.name for each in wanted if each.name not in used]
    if unused:
        raise ConfigurationError(
            f"AGENT_PROVIDERS: {', '.join(unused)} cannot be started here, only "
            f"{', '.join(used)}; install its libraries and driver, or name another (this "
            f"onnxruntime has {', '.join(onnxruntime.get_available_providers())})"
        )


def _greys(picture: ImageInput, size: Size) -> Prepared:
    """Return an image of greys from dark to light, left to right, as 0 to 1 or 0 to 255."""
    top = 255 if picture.dtype == "uint8" else 1
    across = np.linspace(0, top, size.width)
    rows = np.broadcast_to(across, (3, size.height, size.width))
    ordered = rows.transpose(1, 2, 0) if picture.axes is Axes.NHWC else rows
    return np.ascontiguousarray(np.broadcast_to(ordered, picture.shape(size)), picture.dtype)


def _tensor(described: onnxruntime.NodeArg) -> Tensor:
    """Return an input or output as onnxruntime describes it; free axes have a name or nothing."""
    kind = described.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(axis if isinstance(axis, int) else None for axis in described.shape or ())
    return Tensor(described.name, shape, NUMPY_NAMES.get(kind, kind))


def _seen(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
    """Return what stands at both ends of a model, for a message."""
    ends = [", ".join(str(tensor) for tensor in end) or "none" for end in (inputs, outputs)]
    return f"inputs {ends[0]}; outputs {ends[1]}"


def _line(error: BaseException | None) -> str:
    """Return an error's text on one line, without onnxruntime's prefix and not a page long."""
    text = " ".join(str(error).split()).removeprefix("[ONNXRuntimeError] : ")
    return text if len(text) <= 300 else f"{text[:300]}..."  # noqa: PLR2004  # a few lines
