"""Runs the daemon's selection over recordings, on the recordings' clock, as fast as it can."""
