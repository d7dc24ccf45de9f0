"""What people said of captures in other tools, read from the files that those export."""
