"""Fakes that several folders of tests share: a clock, a log and disks."""
