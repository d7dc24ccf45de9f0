"""Video files and streams, decoded by FFmpeg."""
