"""The socket for applications, and the live page; off by default.

`app` collects the routes of `routes/`; `agent.web` serves them. Nothing here touches the pipeline:
all goes through `agent.runtime.application`.
"""
