"""Fakes that several folders of tests share: a clock and a log."""
