# ruff: noqa: T201  # a script with a progress line
# mypy: allow-subclassing-any
"""Make `exports/`: small models of real libraries, and the detections of these libraries.

Each model is a library's own code with few random weights, exported to ONNX. `answers.npz` has the
detections for frames of the sample clip, from the library's own preprocessing and post-processing
around the exported model (not the original one, because the choice between almost equal queries of
a random model depends on the runtime). `test_exports.py` compares the agent with these detections
without any of the libraries.

Run it in a separate environment, with the root of this repository and `tests/detector` on the path:

    pip install torch transformers timm onnx onnxruntime opencv-python-headless scikit-video
    pip install setuptools loguru tabulate psutil tqdm
    pip install --no-deps --no-build-isolation yolox==0.3.0 thop pycocotools
    PYTHONPATH=.:tests/detector python -m tests.detector.make_exports

Used: torch 2.15.0, torchvision 0.29.2 (BSD-3-Clause), transformers 5.23.0, timm 1.0.31, yolox 0.3.0
(Apache-2.0), onnx 1.23.2, Python 3.11.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from tests.detector.planted_models import street

FOLDER = Path(__file__).with_name("exports")
FLOOR = 0.05
KEPT = 30  # most confident detections per frame
CLASSES = 5
BOXES = ("bbox_embed", "reg_preds", "regression_head", "bbox_predictor")
IMAGENET = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])

Rows = NDArray[np.float32]
Run = Callable[[Any], list[Any]]
"""Maps an input to the outputs of the exported model."""

Output = Callable[[NDArray[np.uint8], Run], Rows]
"""Maps a frame to `[n, 6]`: class id, confidence, x_min, y_min, x_max, y_max in its pixels."""


class Named(torch.nn.Module):
    """A model of transformers that returns its two tensors."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> Any:
        """Return logits and boxes."""
        outputs = self.model(pixel_values=pixels)
        return outputs.logits, outputs.pred_boxes


def randomized(model: Any, *heads: str, gain: float = 1.6) -> Any:
    """Set random weights so that outputs depend on the image, with larger ones in the heads.

    With the libraries' own initial weights, untrained models return the same everywhere.
    """
    for name, weights in model.named_parameters():
        more = 1.5 if any(head in name for head in heads) else 1.0
        if any(word in name for word in BOXES):
            more = 0.15  # box sides are exponentials of these outputs
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, std=gain * more / weights[0].numel() ** 0.5)
        elif more > 1:
            torch.nn.init.constant_(weights, -2.0)  # as trained: mostly background
        elif more < 1:
            torch.nn.init.normal_(weights, std=0.3)
    return model.eval()


def transformer(model: Any, processor: Any, side: int) -> tuple[Any, Any, Output]:
    """Return a model of transformers, an input, and a function with its image processor."""
    outputs = ("logits", "pred_boxes")

    def output(frame: NDArray[np.uint8], run: Run) -> Rows:
        resized = cv2.resize(frame, (side, side), interpolation=cv2.INTER_LINEAR)
        ready = processor(
            images=cv2.cvtColor(resized, cv2.COLOR_BGR2RGB),
            do_resize=False,
            do_pad=False,
            return_tensors="pt",
        )
        raw = SimpleNamespace(**dict(zip(outputs, run(ready["pixel_values"]), strict=True)))
        sizes = torch.tensor([frame.shape[:2]])
        found = processor.post_process_object_detection(raw, threshold=FLOOR, target_sizes=sizes)
        return rows_of(found[0]["labels"], found[0]["scores"], found[0]["boxes"])

    return Named(model).eval(), torch.rand(1, 3, side, side), output


def rtdetr() -> tuple[Any, Any, Output]:
    """RT-DETR."""
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrImageProcessor

    config = RTDetrConfig(
        num_labels=CLASSES, backbone_config=_resnet("RTDetrResNetConfig"), **_small()
    )
    model = randomized(RTDetrForObjectDetection(config), "class_embed", "score_head")
    return transformer(model, RTDetrImageProcessor(), 160)


def dfine() -> tuple[Any, Any, Output]:
    """D-FINE."""
    from transformers import DFineConfig, DFineForObjectDetection, RTDetrImageProcessor

    config = DFineConfig(
        num_labels=CLASSES,
        backbone_config=_resnet("RTDetrResNetConfig"),
        **_small() | {"decoder_layers": 2},
    )
    model = randomized(DFineForObjectDetection(config), "class_embed", "score_head")
    return transformer(model, RTDetrImageProcessor(), 160)


def yolos() -> tuple[Any, Any, Output]:
    """YOLOS, with the inputs and outputs of DETR."""
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    config = YolosConfig(
        num_labels=CLASSES,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        image_size=[128, 128],
        num_detection_tokens=40,
        use_mid_position_embeddings=False,
    )
    model = randomized(YolosForObjectDetection(config), "labels_classifier")
    with torch.no_grad():
        model.class_labels_classifier.layers[-1].bias[-1] = 1.0  # most queries are "no object"
    return transformer(model, YolosImageProcessor(), 128)


def rfdetr() -> tuple[Any, Any, Output]:
    """RF-DETR."""
    from transformers import RfDetrConfig, RfDetrDinov2Config, RfDetrForObjectDetection
    from transformers import RfDetrImageProcessor as Processor

    backbone = RfDetrDinov2Config(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_ratio=1,
        image_size=112,
        patch_size=14,
        num_windows=1,
        window_block_indexes=[0],
        out_indices=[1, 2],
        out_features=["stage1", "stage2"],
    )
    config = RfDetrConfig(
        num_labels=CLASSES,
        backbone_config=backbone,
        d_model=24,
        decoder_ffn_dim=32,
        decoder_layers=1,
        decoder_self_attention_heads=2,
        decoder_cross_attention_heads=2,
        decoder_n_points=2,
        num_queries=40,
        group_detr=1,
        c2f_num_blocks=1,
        hidden_expansion=0.25,
        auxiliary_loss=False,
    )
    model = randomized(RfDetrForObjectDetection(config), "class_embed")
    # The resizing of the position embeddings cannot be exported; it is not needed at this size.
    positions = model.model.backbone.backbone.embeddings
    positions.interpolate_pos_encoding = lambda *_sizes: positions.position_embeddings
    return transformer(model, Processor(), 112)


def yolox() -> tuple[Any, Any, Output]:
    """YOLOX, as exported by its own exporter."""
    from yolox.data.data_augment import preproc
    from yolox.models import YOLOPAFPN, YOLOX, YOLOXHead
    from yolox.utils.boxes import postprocess

    width = 0.0625
    model = YOLOX(YOLOPAFPN(0.33, width, depthwise=True), YOLOXHead(CLASSES, width, depthwise=True))
    randomized(model, gain=1.4)
    side = 160

    def output(frame: NDArray[np.uint8], run: Run) -> Rows:
        ready, ratio = preproc(frame, (side, side))
        (raw,) = run(torch.from_numpy(ready)[None])
        raw = model.head.decode_outputs(raw, raw.type())
        found = postprocess(raw, CLASSES, FLOOR, 0.65)[0]
        if found is None:
            return np.empty((0, 6), np.float32)
        return rows_of(found[:, 6], found[:, 4] * found[:, 5], found[:, :4] / ratio)

    model.head.decode_in_inference = False
    return model, torch.rand(1, 3, side, side) * 255, output


def torchvision_ssd() -> tuple[Any, Any, Output]:
    """An SSD of torchvision with resizing and NMS in the graph."""
    from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
    from torchvision.models.detection.ssd import SSD

    class Backbone(torch.nn.Module):
        """Two feature maps."""

        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(3, 16, 8, stride=8)
            self.second = torch.nn.Conv2d(16, 24, 3, stride=2, padding=1)
            self.out_channels = [16, 24]

        def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
            """Return both."""
            first = torch.relu(self.first(pixels))
            return {"0": first, "1": torch.relu(self.second(first))}

    side = 160
    anchors = DefaultBoxGenerator([[2], [2]], scales=[0.2, 0.4, 0.6])
    model = SSD(Backbone(), anchors, (side, side), CLASSES + 1, score_thresh=FLOOR)
    randomized(model, "head")

    def output(frame: NDArray[np.uint8], run: Run) -> Rows:
        height, width = frame.shape[:2]
        scale = side / max(height, width)
        resized = cv2.resize(frame, (round(width * scale), round(height * scale)))
        square = np.full((side, side, 3), 114, np.uint8)
        square[: resized.shape[0], : resized.shape[1]] = resized
        rgb = cv2.cvtColor(square, cv2.COLOR_BGR2RGB).transpose(2, 0, 1)
        with torch.no_grad():
            found = model([torch.from_numpy(rgb.astype(np.float32) / 255)])[0]
        del run  # the post-processing is in the graph
        back = torch.tensor([width / resized.shape[1], height / resized.shape[0]] * 2)
        return rows_of(found["labels"] - 1, found["scores"], found["boxes"] * back)

    return model, [torch.rand(3, side, side)], output


def yunet() -> tuple[Any, Any, Output]:
    """A graph of our own with the outputs of YuNet; OpenCV's class for YuNet decodes them."""
    side = 160

    class Heads(torch.nn.Module):
        """Class, objectness, box and keypoints of each stride, in the order of the original."""

        def __init__(self) -> None:
            super().__init__()
            self.stem = torch.nn.Conv2d(3, 12, 8, stride=8)
            self.down = torch.nn.ModuleList(
                torch.nn.Conv2d(12, 12, 3, stride=2, padding=1) for _ in range(2)
            )
            self.heads = torch.nn.ModuleList(
                torch.nn.ModuleList(torch.nn.Conv2d(12, width, 1) for width in (1, 1, 4, 10))
                for _ in range(3)
            )

        def forward(self, pixels: torch.Tensor) -> Any:
            """Return twelve outputs."""
            levels = [torch.relu(self.stem(pixels / 127.5 - 1))]
            for down in self.down:
                levels.append(torch.relu(down(levels[-1])))
            outputs = []
            for kind in range(4):
                for level, heads in zip(levels, self.heads, strict=True):
                    rows = heads[kind](level).permute(0, 2, 3, 1).flatten(1, 2)
                    outputs.append(rows.sigmoid() if kind < 2 else rows * 0.5)
            return tuple(outputs)

    model = randomized(Heads(), "heads")
    path = FOLDER / "yunet.onnx"

    def output(frame: NDArray[np.uint8], run: Run) -> Rows:
        del run  # OpenCV runs the file itself
        height, width = frame.shape[:2]
        scale = side / max(height, width)
        resized = cv2.resize(frame, (round(width * scale), round(height * scale)))
        square = np.zeros((side, side, 3), np.uint8)
        square[: resized.shape[0], : resized.shape[1]] = resized
        faces = cv2.FaceDetectorYN.create(str(path), "", (side, side), FLOOR, 0.3, 5000)
        found = faces.detect(square)[1]
        corners = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1)
        corners *= np.array([width / resized.shape[1], height / resized.shape[0]] * 2)
        scores, boxes = torch.from_numpy(found[:, 14]), torch.from_numpy(corners)
        return rows_of(torch.zeros(len(found)), scores, boxes)

    return model, torch.rand(1, 3, side, side) * 255, output


def timm_resnet() -> tuple[Any, Any, Output]:
    """A classifier of timm; its rows have no boxes."""
    from timm.models.resnet import BasicBlock, ResNet

    model = ResNet(BasicBlock, (1, 1, 1, 1), CLASSES, channels=(8, 12, 16, 24), stem_width=8)
    randomized(model, "fc")
    side = 96

    def output(frame: NDArray[np.uint8], run: Run) -> Rows:
        edge = round(min(frame.shape[:2]) * 0.875)
        top, left = ((length - edge) // 2 for length in frame.shape[:2])
        cut = frame[top : top + edge, left : left + edge]
        resized = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)
        mean, std = IMAGENET
        ready = ((resized[:, :, ::-1] - mean) / std).transpose(2, 0, 1).astype(np.float32)
        with torch.no_grad():
            probabilities = model(torch.from_numpy(np.ascontiguousarray(ready))[None])[0].softmax(0)
        del run
        order = torch.argsort(-probabilities)
        return rows_of(order, probabilities[order], torch.zeros(len(order), 4))

    return model, torch.rand(1, 3, side, side), output


MODELS: dict[str, tuple[Callable[[], tuple[Any, Any, Output]], list[str]]] = {
    "rtdetr": (rtdetr, ["logits", "pred_boxes"]),
    "dfine": (dfine, ["logits", "pred_boxes"]),
    "rfdetr": (rfdetr, ["labels", "dets"]),
    "yolos": (yolos, ["logits", "pred_boxes"]),
    "yolox": (yolox, ["output"]),
    "torchvision-ssd": (torchvision_ssd, ["boxes", "scores", "labels"]),
    "yunet": (
        yunet,
        [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)],
    ),
    "timm-resnet": (timm_resnet, ["logits"]),
}


def rows_of(labels: Any, scores: Any, boxes: Any) -> Rows:
    """Return the most confident detections, best first."""
    rows = torch.cat([labels[:, None].float(), scores[:, None], boxes.float()], 1).numpy()
    return np.asarray(rows[np.argsort(-rows[:, 1], kind="stable")[:KEPT]], np.float32)


def export(model: Any, example: Any, outputs: list[str], path: Path) -> None:
    """Export a model, with short names and without documentation."""
    torch.onnx.export(
        model,
        (example,),
        str(path),
        input_names=["images"],
        output_names=outputs,
        opset_version=17,
        dynamo=False,
    )
    slim = onnx.load(path)
    renamed: dict[str, str] = {}
    keep = {each.name for each in (*slim.graph.input, *slim.graph.output)}
    shorten(slim.graph, renamed, keep)
    del slim.graph.value_info[:]
    onnx.checker.check_model(slim)
    onnx.save(slim, path)


def exported(path: Path) -> Run:
    """Return the exported model as a function of torch tensors."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(pixels: Any) -> list[Any]:
        return [torch.from_numpy(each) for each in session.run(None, {"images": pixels.numpy()})]

    return run


def shorten(graph: Any, renamed: dict[str, str], keep: set[str]) -> None:
    """Give all values short names, in this graph and its subgraphs."""

    def short(name: str) -> str:
        return name if not name or name in keep else renamed.setdefault(name, f"{len(renamed):x}")

    for constant in graph.initializer:
        constant.name = short(constant.name)
    for end in (*graph.input, *graph.output):
        end.name = short(end.name)
    for node in graph.node:
        node.name = node.doc_string = ""
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                shorten(attribute.g, renamed, keep)


def _resnet(name: str) -> Any:
    import transformers

    return getattr(transformers, name)(
        embedding_size=8,
        hidden_sizes=[8, 12, 16, 24],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )


def _small() -> dict[str, Any]:
    return {
        "encoder_hidden_dim": 16,
        "encoder_in_channels": [12, 16, 24],
        "encoder_ffn_dim": 32,
        "encoder_attention_heads": 2,
        "d_model": 16,
        "decoder_in_channels": [16, 16, 16],
        "decoder_ffn_dim": 32,
        "decoder_layers": 1,
        "decoder_attention_heads": 2,
        "decoder_n_points": 2,
        "num_queries": 40,
        "hidden_expansion": 0.5,
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    kept = FOLDER / "answers.npz"
    answers: dict[str, Any] = dict(np.load(kept)) if kept.exists() else {}
    for name in sys.argv[1:] or MODELS:
        torch.manual_seed(7)
        make, outputs = MODELS[name]
        model, example, output = make()
        path = FOLDER / f"{name}.onnx"
        export(model, example, outputs, path)
        run = exported(path)
        for index, frame in street().items():
            answers[f"{name} {index}"] = output(frame, run)
        rows = answers[f"{name} 125"]
        print(name, path.stat().st_size, rows.shape, rows[:3].round(3).tolist())
    np.savez_compressed(kept, **answers)
