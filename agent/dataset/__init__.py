"""A dataset folder: images, records and YOLO labels, written so that a power cut harms nothing."""
