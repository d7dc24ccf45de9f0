"""The socket for applications, and the live page; off by default.

`address` parses AGENT_API, `server` runs the HTTP server in a thread of its own, `app` collects the
routes of `routes/`. The libraries come with the extra `[web]`. Nothing here touches the pipeline:
all goes through `agent.runtime.application`.
"""
