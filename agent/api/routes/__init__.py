"""The calls of the API: one module for each kind, each with a function `routes`."""
