"""What a pool leaves behind: the chosen images as a dataset, a report and a page."""
