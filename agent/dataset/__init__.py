"""A dataset folder: images, records and YOLO labels, safe from a power cut."""
