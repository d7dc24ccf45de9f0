"""The disks of all tests, and what each of them breaks.

| fake | breaks |
| --- | --- |
| `power_cut.PowerCutDisk` | in memory: a power cut loses unsynced data, and any step may fail |
| `power_cut.NoFileSync` | a planted bug: the bytes of files are never synced |
| `power_cut.NoFolderSync` | a planted bug: some folders are never synced |
| `power_cut.TwoNamesDisk` | as btrfs: after a power cut a moved file may be in both folders |
| `power_cut.FatDisk` | as FAT: a power cut empties files that were not synced under their name |
| `power_cut.NamesNeverSynced` | a planted bug: files are not synced under their name |
| `memory_index.MemoryIndex` | an index on a `PowerCutDisk`: commits may fail or be in doubt |
| `real.RefusingDisk` | writes and moves raise an error while it is set |
| `real.RefusingIndex` | commits raise while its `RefusingDisk` refuses |
| `real.TypedDisk` | nothing: its file system has another type |
| `real.MovedDisk` | nothing: its files changed at given moments |
| `real.BadBlockDisk` | one file cannot be read |
| `real.HangingDisk` | writes into one folder wait until the test lets them go |
| `real.OrderedDisk` | nothing: it logs what became durable, in order |
"""
