"""The cost of a pool's engines."""
