"""What a capture is as bytes: its JSON record, its image, and the file that holds both."""
