"""Fakes and builders that several folders of tests share: clocks, logs, disks and captures."""
