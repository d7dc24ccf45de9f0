"""A model in onnxruntime: the only module that imports it.

Opening a model finds every error of its file: the checksum is compared, the graph is built and run
once. A failure raises `ModelUnusable` with the file, what was found, and the fix. A session that
exists works.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as raised

from agent.detector.formats.contract import (
    Metadata,
    ModelSignature,
    Preprocessing,
    Tensor,
    listed,
)
from agent.detector.image_input import TYPES, Axes, ImageInput
from agent.detector.letterbox import Size
from agent.detector.map_outputs import Key, is_map, keys_of, readable, to_array, with_labels
from agent.detector.model_file.extra_output import extended, feature_tensor_of
from agent.detector.model_file.feature_tensor import FeatureTensor, wrong_map
from agent.detector.model_file.file import load_verified
from agent.detector.model_file.kind import kind_by_name
from agent.detector.model_file.metadata import read_metadata
from agent.detector.preprocessing import InputTensor
from agent.detector.providers import (
    ANY_HARDWARE,
    Hardware,
    Provider,
    is_auto,
    lacks_device,
    wanted_providers,
)
from agent.domain import FloatArray
from agent.errors import ConfigurationError, ModelUnusable, TemporaryError
from agent.printable import printable

# onnxruntime's exceptions have no common base class, and each version adds some.
MODEL_ERRORS: tuple[type[Exception], ...] = (
    *(
        each
        for each in vars(raised).values()
        if isinstance(each, type) and issubclass(each, Exception)
    ),
    RuntimeError,
    ValueError,
)
TRIAL_ERRORS: tuple[type[Exception], ...] = (*MODEL_ERRORS, MemoryError, OverflowError, TypeError)

REASON_START, REASON_END = 200, 400
"""Characters of the start and of the end of an error's text that a message repeats."""

NUMPY_NAMES = {"float": "float32", "double": "float64"}  # types with another name in onnxruntime
SIZE_INPUTS = ("orig_target_sizes", "orig_target_size", "target_sizes")
"""Inputs that take the width and height to which boxes are scaled."""

OTHER_INPUTS = (*SIZE_INPUTS, "scale_factor", "im_shape")
"""The same, and those of PaddleDetection: the frame's scale, which is 1, and height and width."""

SQUARE = Size(640, 640)
SQUARE_SIDES = (640, 224, 320, 416, 512, 256, 288, 300, 384, 608, 800, 960, 1024, 1280)
"""Pixels of usual square inputs: 224 of classifiers, the others of detectors."""

VERSION = onnxruntime.__version__
STRIDE = 32
MORE_STRIDES = (64, 128)
"""Strides of models with more levels; those with six have 64."""

MOST_PIXELS = 8192 * 8192
"""Of a fixed input, all images of a batch together."""


class OnnxSession:
    """A loaded model. `run` may be called by several threads at once."""

    def __init__(
        self,
        path: Path,
        *,
        sha256: str | None = None,
        hardware: Hardware = ANY_HARDWARE,
        size: Size | None = None,
    ) -> None:
        """Load the model and run it once.

        Args:
            path: An ONNX file.
            sha256: The hex digest that the file must have, or None for any.
            hardware: What it runs on.
            size: The size that the operator names for free axes, or None.

        Raises:
            ModelUnusable: The file is missing, is not a model, has another checksum or unsupported
                inputs, or cannot run.
            ConfigurationError: It cannot run on every named provider.
            TemporaryError: The hardware of a named provider is not there yet.
        """
        self.path = path
        available = onnxruntime.get_available_providers()
        automatic = is_auto(hardware.providers)
        wanted = wanted_providers(hardware.providers, available, engines=hardware.engines)
        self.feature_tensor = FeatureTensor()
        """The tensor that `run_with_map` returns too; without a name there is none."""

        def plain() -> onnxruntime.InferenceSession:
            return _open(path, path.resolve(), wanted, hardware.threads, may_use_cpu=automatic)

        def load(weights: frozenset[Path]) -> onnxruntime.InferenceSession:
            names = [each.name for each in wanted]
            self.feature_tensor = feature_tensor_of(path, names, weights)
            if self.feature_tensor.name:
                try:
                    with extended(path, self.feature_tensor.name) as copy:
                        return _open(path, copy, wanted, hardware.threads, may_use_cpu=automatic)
                except (ModelUnusable, OSError):
                    self.leave_out_map("onnxruntime cannot load the model with it")
            return plain()

        self.file, self._session = load_verified(path, sha256, load)
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        if not automatic:
            _require_used(wanted, self.providers)
        try:
            self._inputs = [_tensor(each) for each in self._session.get_inputs()]
            self._outputs = readable(
                [
                    _tensor(each)
                    for each in self._session.get_outputs()
                    if each.name != self.feature_tensor.name
                ]
            )
        except ValueError as error:
            raise ModelUnusable(
                f"cannot use the model {path} (AGENT_MODEL): the name of an input or output is not "
                "UTF-8 text; export it again"
            ) from error
        self.image_input = self._find_image_input()
        if all("string" in each.dtype and not is_map(each) for each in self._outputs):
            raise ModelUnusable(
                f"cannot use the model {path} (AGENT_MODEL): its outputs are texts, not numbers "
                f"(it has {_tensors(self._inputs, self._outputs)}); export it without its last "
                "step, which looks the label up"
            )
        self._keys: dict[str, tuple[Key, ...]] = {}  # of each output that is a list of maps
        self._only_size: Size | None = None
        self._stride = 1
        self._proven: set[Size] = set()
        self._avoided: set[Size] = set()
        try:
            self.signature = self._run_trial(size)
        except ModelUnusable:
            if not self.feature_tensor.name:
                raise
            self.leave_out_map("the model does not run with it")
            self._session = plain()
            self.signature = self._run_trial(size)

    @property
    def batch_waste(self) -> str | None:
        """What work each run wastes, and how to fix it; None if it wastes none."""
        batch = self.image_input.batch
        if batch == 1:
            return None
        return (
            f"the model {self.path} takes a batch of {batch} images but gets one, so each frame "
            f"costs {batch} times the necessary work; export it with a batch of 1"
        )

    @property
    def provider(self) -> str:
        """The first execution provider that onnxruntime reports after loading."""
        return self.providers[0]

    def provider_shares(self) -> dict[str, float]:
        """Return the share of the graph's nodes on each provider.

        Empty if this onnxruntime does not report it.
        """
        assigned = getattr(self._session, "get_provider_graph_assignment_info", tuple)
        try:
            parts = [(part.ep_name, len(part.get_nodes())) for part in assigned()]
        except MODEL_ERRORS:
            return {}
        total = sum(nodes for _, nodes in parts)
        counts: dict[str, int] = {}
        for name, nodes in parts:
            counts[name] = counts.get(name, 0) + nodes
        return {name: nodes / total for name, nodes in counts.items()}

    def input_size(self, frame: Size, wanted: Preprocessing) -> Size:
        """Return the input size for a frame; see `ImageInput.size_for`."""
        if self._only_size is not None:
            return self._only_size
        stride = math.lcm(wanted.stride, self._stride)
        size = self.image_input.size_for(frame, replace(wanted, stride=stride))
        return self.signature.size if self.avoids(size) else size

    def avoids(self, size: Size) -> bool:
        """Whether another size is used instead of this one; see `avoid`."""
        return bool(self._avoided) and size in self._avoided

    def avoid(self, size: Size) -> bool:
        """Use the size of the trial run instead of a size at which no run has worked yet.

        Returns:
            Whether that changes the size: the image can be tried again.
        """
        if size in self._proven or size in self._avoided or size == self.signature.size:
            return False
        self._avoided.add(size)
        return True

    def require_size(self, wanted: Preprocessing) -> None:
        """Raise `ModelUnusable` if the model cannot run at the largest size of `wanted`."""
        size = self.input_size(wanted.size, wanted)
        if size == self.signature.size:
            return
        try:
            self.run(_gradient(self.image_input, size), size)
        except TRIAL_ERRORS as error:
            raise ModelUnusable(
                f"cannot run the model {self.path} at {size}: {one_line(error)}; set "
                f"AGENT_MODEL_INPUT to another size: it ran at size={self.signature.size}"
            ) from error

    def run(
        self, tensor: InputTensor, size: Size, outputs: Sequence[int] | None = None
    ) -> list[FloatArray]:
        """Return outputs as float32.

        Args:
            tensor: The image in the layout of `image_input`.
            size: The image's size.
            outputs: The indices of the outputs; None for all, in the model's order.
        """
        return self.run_with_map(tensor, size, outputs)[0]

    def run_with_map(
        self, tensor: InputTensor, size: Size, outputs: Sequence[int] | None = None
    ) -> tuple[list[FloatArray], FloatArray | None]:
        """Return outputs as `run` does, and the map `[channels, height, width]` for features.

        The map is None if the model has none.
        """
        feed: dict[str, object] = {self._inputs[0].name: tensor}
        for other in self._inputs[1:]:
            sides = np.array([_values_of_input(other.name, size)], other.dtype)
            feed[other.name] = np.repeat(sides, self.image_input.batch, axis=0)
        indices = range(len(self._outputs)) if outputs is None else outputs
        names = [self._outputs[index].name for index in indices]
        extra = [self.feature_tensor.name] if self.feature_tensor.name else []
        values = self._session.run(names + extra, feed)
        found = _of_first_image(values.pop()) if extra else None
        arrays = [self._array(index, each) for index, each in zip(indices, values, strict=True)]
        self._proven.add(size)
        if self.image_input.batch == 1:
            return arrays, found
        return [
            array[:1] if self._outputs[index].shape[:1] == (self.image_input.batch,) else array
            for index, array in zip(indices, arrays, strict=True)
        ], found

    def leave_out_map(self, reason: str) -> None:
        """Return no map from now on, for this reason."""
        self.feature_tensor = FeatureTensor(reason=reason)

    @property
    def has_map_output(self) -> bool:
        """Whether an output was a list of maps; see `map_outputs`."""
        return bool(self._keys)

    def _array(self, index: int, value: Any) -> FloatArray:
        output = self._outputs[index]
        if not is_map(output):
            return np.asarray(value, np.float32)
        maps = [value] if isinstance(value, dict) else value
        return to_array(maps, self._keys.setdefault(output.name, keys_of(maps)))

    def discard_trial_outputs(self) -> None:
        """Free the outputs of the trial run; only the choice of the format needs them."""
        self.signature = replace(self.signature, values=())

    def _find_image_input(self) -> ImageInput:
        """Return the layout of the image, and put its input first.

        Other inputs may take only its size.
        """
        self._inputs.sort(key=lambda each: ImageInput.from_tensor(each) is None)
        image_input = ImageInput.from_tensor(self._inputs[0]) if self._inputs else None
        others_fit = all(
            each.name in OTHER_INPUTS
            and each.shape in ((image_input and image_input.batch, 2), (None, 2))
            for each in self._inputs[1:]
        )
        if image_input is None or not others_fit:
            raise ModelUnusable(
                f"cannot use the model {self.path}: it must have one input [1, 3, height, width] "
                f"or [1, height, width, 3] of {', '.join(TYPES[:-1])} or {TYPES[-1]}, but it has "
                f"{_tensors(self._inputs, self._outputs)}; set AGENT_MODEL to an export with such "
                "an input"
            )
        values = math.prod((image_input.batch, image_input.height or 1, image_input.width or 1))
        if values > MOST_PIXELS:
            raise ModelUnusable(
                f"cannot use the model {self.path}: its input {self._inputs[0]} is too large; set "
                f"AGENT_MODEL to an export with at most {MOST_PIXELS} pixels"
            )
        return image_input

    def _run_trial(self, size: Size | None) -> ModelSignature:
        """Run the model once, to get the shapes of its outputs and, if its axes are free, a size.

        A grey gradient is tried first. A graph may fail on an image in which it finds nothing, so
        noise is tried too.
        """
        metadata = self._read_metadata()
        trials = self._trials(size or metadata.size or SQUARE, metadata.stride or STRIDE)
        first_error: BaseException | None = None
        for draw in (_gradient, _noise):
            for trial in trials:
                try:
                    tensor = draw(self.image_input, trial.size)
                    arrays, found = self.run_with_map(tensor, trial.size)
                except TRIAL_ERRORS as error:
                    first_error = first_error or error
                    continue
                wrong = found is not None and wrong_map(found, trial.size)
                if wrong:
                    self.leave_out_map(wrong)
                self._stride = trial.stride or 1
                if trial.stride is None:
                    self._only_size = trial.size
                shaped = tuple(
                    Tensor(output.name, array.shape, "float32" if is_map(output) else output.dtype)
                    for output, array in zip(self._outputs, arrays, strict=True)
                )
                for keys in self._keys.values():
                    metadata = with_labels(metadata, keys)
                return ModelSignature(
                    self._inputs[0],
                    shaped,
                    trial.size,
                    metadata,
                    tuple(arrays),
                    has_size_input=any(each.name in SIZE_INPUTS for each in self._inputs),
                )
        raise ModelUnusable(self._cannot_run(trials, first_error)) from first_error

    def _cannot_run(self, trials: Sequence["_Trial"], error: BaseException | None) -> str:
        sizes = list(dict.fromkeys(trial.size for trial in trials))
        fix = "set AGENT_MODEL to an export that runs"
        if not self.image_input.fixed:
            fix = (
                "its axes are free, but it may have been exported for one size: name it in "
                "AGENT_MODEL_INPUT, for example size=320x320, or export it with fixed axes"
            )
        return (
            f"cannot run the model {self.path} at {', '.join(map(str, sizes))}: "
            f"{one_line(error)} (it has {_tensors(self._inputs, self._outputs)}); {fix}"
        )

    def _trials(self, limit: Size, stride: int) -> list["_Trial"]:
        """Return the sizes for the trial run: the first that works shows how frames may be resized.

        First rectangles of an odd number of strides, from the smallest stride on: a model that
        needs multiples of 64 fails with an odd number of 32. Then single sizes, for graphs whose
        axes are declared free, but are not, or that need a square.
        """
        fixed = self.image_input.fixed
        if fixed:
            return [_Trial(fixed, 1)]
        width, height = self.image_input.width, self.image_input.height
        strides = [stride, *(each for each in MORE_STRIDES if each > stride)]
        found = [
            _Trial(Size(width or wide * step, height or high * step), step)
            for step in strides
            for wide in [_odd(min(limit.width, limit.height) // step)]
            for high in [_odd(wide * 9 // 16)]
        ]
        sides = dict.fromkeys([limit, *(Size(side, side) for side in SQUARE_SIDES)])
        found += [_Trial(Size(width or side.width, height or side.height)) for side in sides]
        return found

    def _read_metadata(self) -> Metadata:
        """Return what the exporter wrote into the file."""
        try:
            entries = self._session.get_modelmeta().custom_metadata_map
        except ValueError:
            return Metadata(label_problem="its metadata is not UTF-8 text")
        return read_metadata(entries)


@dataclass(frozen=True, slots=True)
class _Trial:
    """One size of a trial run."""

    size: Size
    stride: int | None = None  # if the run works, so do other multiples of it; None: this size only


def _odd(number: int) -> int:
    """Return the largest odd number up to `number`, at least 1."""
    return max(1, number - (number % 2 == 0))


def _open(
    path: Path,
    model: Path,
    providers: Sequence[Provider],
    threads: int,
    *,
    may_use_cpu: bool,
) -> onnxruntime.InferenceSession:
    """Load the model; with `may_use_cpu` on the CPU alone if it cannot run on `providers`.

    `model` is the file `path` itself, or a copy with one more output.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # With spinning, threads that wait for the next frame use a whole core, even at 5 frames/s.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    options.log_severity_level = 4  # none: each error is raised too, the warnings are checked here
    named = [(each.name, dict(each.options)) if each.options else each.name for each in providers]
    try:
        try:
            return _session(model, options, named)
        except RuntimeError:
            if not may_use_cpu or len(named) == 1:
                raise
            return _session(model, options, ["CPUExecutionProvider"])
    except MODEL_ERRORS as error:
        reason, fix = one_line(error), kind_by_name(path)
        if isinstance(error, UnicodeDecodeError):
            reason, fix = "a name in it is not UTF-8 text", "export it again"
        fix = fix or f"set AGENT_MODEL to an ONNX file that onnxruntime {VERSION} reads"
        raise ModelUnusable(
            f"cannot load the model {path} (AGENT_MODEL): {reason}; {fix}"
        ) from error


def _session(
    model: Path, options: onnxruntime.SessionOptions, providers: Sequence[object]
) -> onnxruntime.InferenceSession:
    # The file itself, whose weights were checked. onnxruntime's own fallback prints to stdout, and
    # would change the provider in the middle of a run.
    return onnxruntime.InferenceSession(
        model,
        options,
        providers=providers,
        enable_fallback=0,
    )


def _require_used(wanted: Sequence[Provider], used: tuple[str, ...]) -> None:
    """Raise if a provider is not used: onnxruntime falls back to the CPU without an error."""
    unused = [each.name for each in wanted if each.name not in used]
    absent = [name for name in unused if lacks_device(name)]
    if absent:
        raise TemporaryError(
            f"AGENT_PROVIDERS: cannot start {', '.join(absent)}: this device shows no device file "
            "of its hardware yet. If it does not come after the boot, load the driver, allow the "
            "device in the unit (drop-ins of `capture-agent install`), or name another provider"
        )
    if unused:
        raise ConfigurationError(
            f"AGENT_PROVIDERS: cannot start {', '.join(unused)} on this device, only "
            f"{', '.join(used)}; install its libraries and driver, or name another (this "
            f"onnxruntime has {', '.join(onnxruntime.get_available_providers())})"
        )


def _gradient(image_input: ImageInput, size: Size) -> InputTensor:
    """Return a grey gradient, dark to light from left to right, as 0 to 1 or 0 to 255."""
    top = 255 if image_input.dtype == "uint8" else 1
    across = np.linspace(0, top, size.width)
    rows = np.broadcast_to(across, (3, size.height, size.width))
    ordered = rows.transpose(1, 2, 0) if image_input.axes is Axes.NHWC else rows
    return np.ascontiguousarray(
        np.broadcast_to(ordered, image_input.shape(size)), image_input.dtype
    )


def _values_of_input(name: str, size: Size) -> tuple[int, int]:
    """Return the values of an input beside the image, so that boxes are in pixels of the input."""
    if name == "scale_factor":
        return 1, 1
    return (size.height, size.width) if name == "im_shape" else (size.width, size.height)


def _noise(image_input: ImageInput, size: Size) -> InputTensor:
    """Return noise, the same on every computer."""
    top = 256 if image_input.dtype == "uint8" else 1
    values = np.random.default_rng(0).random(image_input.shape(size), np.float32)
    return (values * top).astype(image_input.dtype)


def _of_first_image(value: Any) -> FloatArray:
    """Return the part of a tensor `[batch, ...]` that belongs to the first image."""
    array = np.asarray(value, np.float32)
    return array[0] if array.ndim else array


def _tensor(described: onnxruntime.NodeArg) -> Tensor:
    """Convert onnxruntime's description of an input or output; dynamic axes become None."""
    kind = described.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(axis if isinstance(axis, int) else None for axis in described.shape or ())
    return Tensor(described.name, shape, NUMPY_NAMES.get(kind, kind))


def _tensors(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
    """Return the inputs and outputs of a model, for a message."""
    return f"inputs {listed(inputs)}; outputs {listed(outputs)}"


def one_line(error: BaseException | None) -> str:
    """Return an error's text on one line, without onnxruntime's prefix, shortened.

    The reason stands at its end, after names and paths of any length: both ends are shown.
    """
    text = " ".join(str(error).split()).removeprefix("[ONNXRuntimeError] : ")
    text = text or type(error).__name__
    if len(text) > REASON_START + REASON_END:
        text = f"{text[:REASON_START]} ... {text[-REASON_END:]}"
    return printable(text, len(text))
