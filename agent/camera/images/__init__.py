"""Image files, read after their header was checked, and folders of them."""
