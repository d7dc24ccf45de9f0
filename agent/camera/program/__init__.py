"""Programs whose standard output is a camera's video: started, read, ended."""
