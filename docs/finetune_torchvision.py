"""Fine-tunes a detector of torchvision on a COCO export, and writes it as ONNX for the agent.

python docs/finetune_torchvision.py EXPORT EPOCHS: new.onnx and its labels new.txt
"""

import json
import sys
from pathlib import Path

import torch
from torchvision.io import ImageReadMode, decode_image
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn as detector

export, epochs = Path(sys.argv[1]), int(sys.argv[2])
coco = json.loads((export / "annotations/instances_train.json").read_text())
names = [each["name"] for each in sorted(coco["categories"], key=lambda each: each["id"])]
number = {each["id"]: place for place, each in enumerate(coco["categories"], start=1)}


def example(image: dict) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return pixels `[3, height, width]`, 0 to 1, and boxes as corners with their labels."""
    pixels = decode_image(export / "images/train" / image["file_name"], ImageReadMode.RGB) / 255
    rows = [each for each in coco["annotations"] if each["image_id"] == image["id"]]
    boxes = torch.tensor([each["bbox"] for each in rows]).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]  # x, y, width, height become corners
    labels = torch.tensor([number[each["category_id"]] for each in rows], dtype=torch.int64)
    return pixels, {"boxes": boxes, "labels": labels}


# With the internet: weights_backbone="DEFAULT" begins with features of ImageNet.
model = detector(weights=None, weights_backbone=None, num_classes=1 + len(names))
optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9, weight_decay=5e-4)
model.train()
for epoch in range(epochs):
    for image in coco["images"]:
        pixels, target = example(image)
        loss = sum(model([pixels], [target]).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: loss {loss.item():.3f}")

model.eval()
size = torch.zeros(3, coco["images"][0]["height"], coco["images"][0]["width"])
torch.onnx.export(
    model, ([size],), "new.onnx", opset_version=17, dynamo=False,
    input_names=["image"], output_names=["boxes", "labels", "scores"],
)  # fmt: skip
Path("new.txt").write_text("\n".join(["background", *names]) + "\n")
