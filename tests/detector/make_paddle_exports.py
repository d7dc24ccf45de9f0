# ruff: noqa: T201  # a script with a progress line
"""Make the exports of PaddleDetection in `exports/`, as `make_exports.py` does for other libraries.

PicoDet with few random weights is exported by Paddle2ONNX without its post-processing, and with
boxes but without NMS. The detections are PaddleDetection's own, from its preprocessing, the second
export and its NMS, with the best class of each cell as in the project's own deployment code. The
library resizes with cubic interpolation, here it is linear, as in the agent.

Run it in a separate environment, with the root of this repository on the path:

    pip install paddlepaddle==2.6.2 paddledet==2.6.0 paddle2onnx==1.3.1 "numpy<2"
    pip install onnx onnxruntime "opencv-python-headless<4.9" scikit-learn motmetrics
    pip install pycocotools lap scikit-video
    PYTHONPATH=. python -m tests.detector.make_paddle_exports

All three are Apache-2.0. Python 3.11.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import paddle
import paddle2onnx
from ppdet.data.transform.operators import NormalizeImage, Permute, Resize
from ppdet.modeling.architectures.picodet import PicoDet
from ppdet.modeling.backbones.lcnet import LCNet
from ppdet.modeling.heads.pico_head import PicoFeat, PicoHeadV2
from ppdet.modeling.layers import MultiClassNMS
from ppdet.modeling.losses.gfocal_loss import DistributionFocalLoss
from ppdet.modeling.losses.iou_loss import GIoULoss
from ppdet.modeling.losses.varifocal_loss import VarifocalLoss
from ppdet.modeling.necks.lc_pan import LCPAN

from tests.detector.planted_models import street

FOLDER = Path(__file__).with_name("exports")
FLOOR = 0.05
KEPT = 30  # most confident detections per frame
CLASSES = 5
SIDE = 160
WIDTH = 8  # channels
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # configs/picodet, `NormalizeImage`


class OneInput(PicoDet):  # type: ignore[misc]  # the library has no types
    """PicoDet without `scale_factor`, which an export without NMS does not use."""

    def _forward(self) -> Any:
        outputs = self.head(self.neck(self.backbone(self.inputs)), self.export_post_process)
        if not self.export_post_process:
            return outputs, None
        return self.head.post_process(outputs, None, export_nms=False)


def picodet() -> Any:
    """Return the model with random weights, so that its outputs depend on the image."""
    backbone = LCNet(scale=0.0625, feature_maps=[3, 4, 5])
    channels = [each.channels for each in backbone.out_shape]
    head = PicoHeadV2(
        conv_feat=PicoFeat(
            feat_in=WIDTH,
            feat_out=WIDTH,
            num_convs=1,
            num_fpn_stride=4,
            norm_type="bn",
            share_cls_reg=True,
            use_se=True,
        ),
        num_classes=CLASSES,
        fpn_stride=[8, 16, 32, 64],
        feat_in_chan=WIDTH,
        reg_max=7,
        cell_offset=0.5,  # configs/picodet/_base_/picodet_v2.yml
        use_align_head=True,
        loss_class=VarifocalLoss(use_sigmoid=True),
        loss_dfl=DistributionFocalLoss(),
        loss_bbox=GIoULoss(),
    )
    head.eval_size = [SIDE, SIDE]
    head.anchor_points, head.stride_tensor = head._generate_anchors()
    neck = LCPAN(in_channels=channels, out_channels=WIDTH, use_depthwise=True, num_features=4)
    model = OneInput(backbone, neck, head)
    for weights in model.parameters():
        if weights.ndim > 1:
            gain = 1.6 / np.sqrt(np.prod(weights.shape[1:]))
            weights.set_value(paddle.randn(weights.shape) * gain)
    model.eval()
    return model


def export(model: Any, path: Path, *, boxes: bool) -> None:
    """Export the model without post-processing, or with boxes in pixels."""
    model.export_post_process, model.export_nms = boxes, False
    image = paddle.static.InputSpec(shape=[1, 3, SIDE, SIDE], name="image")
    traced = paddle.jit.to_static(model, input_spec=[{"image": image}])
    with TemporaryDirectory() as folder:
        paddle.jit.save(traced, f"{folder}/model")
        graph, weights = f"{folder}/model.pdmodel", f"{folder}/model.pdiparams"
        paddle2onnx.export(graph, weights, str(path), 12, True, False, True, False, True)


def ready(frame: Any) -> Any:
    """Return a BGR frame as the library prepares it."""
    sample = {"image": frame[:, :, ::-1].copy(), "im_shape": np.array(frame.shape[:2], np.float32)}
    sample["scale_factor"] = np.ones(2, np.float32)
    steps = (
        Resize(target_size=[SIDE, SIDE], keep_ratio=False, interp=1),
        NormalizeImage(mean=MEAN, std=STD, is_scale=True),
        Permute(),
    )
    for step in steps:
        sample = step(sample)
    return sample["image"][None].astype(np.float32)


def detections(path: Path, frame: Any) -> Any:
    """Return `[n, 6]`: class id, confidence, corners in pixels of the frame, best first."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    boxes, scores = session.run(None, {"image": ready(frame)})
    best = scores == scores.max(axis=1, keepdims=True)
    nms = MultiClassNMS(nms_top_k=1000, keep_top_k=KEPT, score_threshold=FLOOR, nms_threshold=0.6)
    rows, *_ = nms(paddle.to_tensor(boxes), paddle.to_tensor(scores * best))
    rows = rows.numpy().astype(np.float32)
    height, width = frame.shape[:2]
    rows[:, 2:] *= np.array([width, height] * 2, np.float32) / SIDE
    return rows[np.argsort(-rows[:, 1], kind="stable")]


if __name__ == "__main__":
    paddle.seed(7)
    kept = FOLDER / "answers.npz"
    answers = dict(np.load(kept))
    made = picodet()
    export(made, FOLDER / "picodet.onnx", boxes=False)
    export(made, FOLDER / "picodet-boxes.onnx", boxes=True)
    for index, frame in street().items():
        rows = detections(FOLDER / "picodet-boxes.onnx", frame)
        answers[f"picodet {index}"] = answers[f"picodet-boxes {index}"] = rows
        print(index, rows.shape, rows[:3].round(3).tolist())
    np.savez_compressed(kept, **answers)
