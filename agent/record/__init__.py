"""The bytes of a capture: its JSON record, its image, and the file that holds both."""
