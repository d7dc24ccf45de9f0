"""PicoDet without post-processing: like NanoDet, with four strides and another input.

Per stride 8, 16, 32, 64 the graph has confidences `[1, n, classes]`, after the sigmoid, and
distributions over the distances to the box's sides `[1, n, 4 * bins]`; see `nanodet.py`. The input
is RGB, normalized as for ImageNet, stretched. Exports with the post-processing are in `paddle.py`.

Source: `PicoHead.forward_eval` with `export_post_process=False` in
`ppdet/modeling/heads/pico_head.py`, and `configs/picodet/_base_/picodet_320_reader.yml`, of
PaddlePaddle/PaddleDetection (Apache-2.0); Yu et al., "PP-PicoDet", 2021.
"""

from dataclasses import replace

from agent.detector.formats.contract import IMAGENET, ChannelOrder, ModelSignature, Preprocessing
from agent.detector.formats.nanodet import NanoDet
from agent.detector.letterbox import Padding


class PicoDet(NanoDet):
    """PicoDet exports with one pair of outputs per stride."""

    name = "picodet"
    strides = (8, 16, 32, 64)

    def preprocessing(self, model: ModelSignature) -> Preprocessing:
        """Return how frames become this model's input."""
        mean, std = IMAGENET
        return replace(
            super().preprocessing(model),
            channel_order=ChannelOrder.RGB,
            mean=mean,
            std=std,
            padding=Padding.STRETCH,
        )
