"""A model in onnxruntime: the only module that imports it.

Everything that can be wrong with a model file shows when it is opened: the file is read, its
checksum compared, the graph built, and run once. Whatever fails is a `ConfigurationError` that
names the file, what was seen, and the mend; a session that exists works.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as raised

from agent.detector.formats.contract import Signature, Tensor
from agent.detector.letterbox import Size, smallest_input
from agent.detector.metadata import read_metadata
from agent.domain import FloatArray
from agent.errors import ConfigurationError

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

# `auto` takes what is there, best first, but for these: one is a remote service, one compiles the
# model for minutes at each start unless it is set up to cache.
ONLY_BY_NAME = ("AzureExecutionProvider", "TensorrtExecutionProvider")

NUMPY_NAMES = {"float": "float32", "double": "float64"}  # where onnxruntime calls it otherwise
INPUT_TYPES = ("float32", "float16")
SQUARE = Size(640, 640)
STRIDE = 32
WIDE = Size(16, 9)


class OnnxSession:
    """A loaded model. `run` may be called by several threads at once."""

    def __init__(
        self, path: Path, *, sha256: str | None = None, providers: Sequence[str], threads: int
    ) -> None:
        """Load the model and run it once.

        Args:
            path: An ONNX file.
            sha256: The hex digest that the file must have, or None for any.
            providers: Execution providers, best first, with or without "ExecutionProvider";
                empty or "auto" for what is there.
            threads: Threads of one run; they sleep between runs.

        Raises:
            ConfigurationError: The file is missing, is no model, has another checksum, an input
                or outputs that no detector has, cannot run, or not on each named provider.
        """
        self.path = path
        self.sha256 = _checksum(path, sha256)
        self._session = _open(path, _known(providers), threads)
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        _require_used(providers, self.providers)
        self._input, self._outputs = _inspected(self._session, path)
        self.signature = self._tried()

    @property
    def provider(self) -> str:
        """The execution provider that comes first, as onnxruntime reports it after loading."""
        return self.providers[0]

    def input_size(self, frame: Size, limit: Size, stride: int) -> Size:
        """Return the input to use for a frame: the model's own, or the smallest on free axes.

        Args:
            frame: The frame's size.
            limit: The largest input, for axes that are free.
            stride: What sizes on free axes must be multiples of.
        """
        height, width = self._input.shape[2:]
        if height and width:
            return Size(width, height)
        free = smallest_input(
            frame, Size(width or limit.width, height or limit.height), stride=stride
        )
        return Size(width or free.width, height or free.height)

    def run(self, tensor: FloatArray | NDArray[np.float16]) -> list[FloatArray]:
        """Return the outputs of an input `[1, 3, height, width]`, as float32, in their order."""
        names = [output.name for output in self._outputs]
        outputs = self._session.run(names, {self._input.name: tensor})
        return [np.asarray(output, np.float32) for output in outputs]

    def _tried(self) -> Signature:
        """Run once on a black picture, and so learn the shapes of the outputs."""
        metadata = read_metadata(self._session.get_modelmeta().custom_metadata_map)
        # Not a square: a graph that only pretends that its axes are free must fail here.
        size = self.input_size(WIDE, metadata.size or SQUARE, metadata.stride or STRIDE)
        try:
            arrays = self.run(np.zeros((1, 3, size.height, size.width), self._input.dtype))
        except (*MODEL_ERRORS, TypeError) as error:
            raise ConfigurationError(
                f"cannot run the model {self.path} at {size.width}x{size.height}: {_line(error)} "
                f"(it has {_seen([self._input], self._outputs)}); set AGENT_MODEL to an export "
                "that runs, with fixed axes if need be"
            ) from error
        shaped = tuple(
            Tensor(output.name, array.shape, output.dtype)
            for output, array in zip(self._outputs, arrays, strict=True)
        )
        return Signature(self._input, shaped, size, metadata)


def _checksum(path: Path, expected: str | None) -> str:
    """Return the file's sha256 in hex."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the model {path}: {error.strerror}; set AGENT_MODEL to an ONNX file"
        ) from error
    if expected is not None and found != expected.strip().lower():
        raise ConfigurationError(
            f"cannot use the model {path}: its sha256 is {found}, but AGENT_MODEL_SHA256 is "
            f"{expected}; replace the file or the setting"
        )
    return found


def _open(path: Path, providers: list[str], threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that spins while it waits for the next frame burns a core at 5 frames a second.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; what matters of warnings is checked here
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except MODEL_ERRORS as error:
        raise ConfigurationError(
            f"cannot load the model {path}: {_line(error)}; set AGENT_MODEL to an ONNX file that "
            f"onnxruntime {onnxruntime.__version__} reads"
        ) from error


def _inspected(
    session: onnxruntime.InferenceSession, path: Path
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the one input, which takes a picture, and the outputs."""
    inputs = [_tensor(each) for each in session.get_inputs()]
    outputs = [_tensor(each) for each in session.get_outputs()]
    if len(inputs) != 1 or not _holds_a_picture(inputs[0]):
        raise ConfigurationError(
            f"cannot use the model {path}: it must have one input [1, 3, height, width] of "
            f"{' or '.join(INPUT_TYPES)}, but it has {_seen(inputs, outputs)}; set AGENT_MODEL to "
            "an export with such an input"
        )
    return inputs[0], tuple(outputs)


def _known(providers: Sequence[str]) -> list[str]:
    """Return the full names of the providers to try."""
    available = onnxruntime.get_available_providers()
    if _is_auto(providers):
        return [name for name in available if name not in ONLY_BY_NAME]
    short = {name.removesuffix("ExecutionProvider").lower(): name for name in available}
    wanted = [name.lower().removesuffix("executionprovider") for name in providers]
    missing = [name for name, key in zip(providers, wanted, strict=True) if key not in short]
    if missing:
        raise ConfigurationError(
            f"AGENT_PROVIDERS: this onnxruntime has no {', '.join(missing)}; "
            f"it has {', '.join(available)}"
        )
    return [short[name] for name in wanted]


def _require_used(providers: Sequence[str], used: tuple[str, ...]) -> None:
    """Refuse the fall-back to the CPU that onnxruntime makes without a word."""
    if _is_auto(providers):
        return
    unused = [name for name in _known(providers) if name not in used]
    if unused:
        raise ConfigurationError(
            f"AGENT_PROVIDERS: {', '.join(unused)} cannot be started here, only "
            f"{', '.join(used)}; install its libraries and driver, or name another"
        )


def _is_auto(providers: Sequence[str]) -> bool:
    return not providers or [name.lower() for name in providers] == ["auto"]


def _tensor(described: onnxruntime.NodeArg) -> Tensor:
    """Return an input or output as onnxruntime describes it; free axes have a name or nothing."""
    kind = described.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(axis if isinstance(axis, int) else None for axis in described.shape or ())
    return Tensor(described.name, shape, NUMPY_NAMES.get(kind, kind))


def _holds_a_picture(tensor: Tensor) -> bool:
    """Tell whether one picture of three channels fits."""
    four = len(tensor.shape) == 4  # noqa: PLR2004  # axes
    return (
        four
        and tensor.dtype in INPUT_TYPES
        and tensor.shape[0] in (1, None)
        and tensor.shape[1] in (3, None)
        and all(axis is None or axis > 0 for axis in tensor.shape)
    )


def _seen(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
    """Return what stands at both ends of a model, for a message."""
    ends = [", ".join(str(tensor) for tensor in end) or "none" for end in (inputs, outputs)]
    return f"inputs {ends[0]}; outputs {ends[1]}"


def _line(error: BaseException) -> str:
    """Return an error's text on one line, without onnxruntime's prefix and not a page long."""
    text = " ".join(str(error).split()).removeprefix("[ONNXRuntimeError] : ")
    return text if len(text) <= 300 else f"{text[:300]}..."  # noqa: PLR2004  # a few lines
