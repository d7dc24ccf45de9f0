"""From what another tool exported to lines of `verdicts.jsonl`.

`source` opens a file, a folder or a zip archive, `readers` recognises what it is, and `plan` makes
a line of what it says of each capture.
"""
