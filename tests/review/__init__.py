"""The review page: what the server hands out and takes, over HTTP and by calling it."""
