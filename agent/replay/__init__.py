"""The daemon's selection over recordings: as fast as the machine can, on the recordings' clock."""
