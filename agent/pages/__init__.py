"""HTML pages of one file: they load nothing from elsewhere."""
