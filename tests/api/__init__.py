"""The socket for applications: real servers, real clients."""
