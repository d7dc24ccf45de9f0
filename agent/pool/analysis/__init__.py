"""Makes rows of items, and candidates of rows."""
