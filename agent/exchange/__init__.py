"""The folder through which other processes watch the running daemon and ask it.

No socket listens. The daemon publishes its state as a file (`state.py`); another process asks by
making an empty file whose name says all (`asks.py`), and the daemon answers with a file. Only the
user of the daemon and root can reach the folder (`folder.py`).
"""
