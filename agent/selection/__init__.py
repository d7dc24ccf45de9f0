"""Decides which frames are worth a label. Pure: no input, no output, no clock of its own."""
