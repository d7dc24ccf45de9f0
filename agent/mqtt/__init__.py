"""Tells an MQTT broker what the cameras do, and takes `Capture now` from it; off by default.

The library comes with the extra `[mqtt]`. Nothing here touches the pipeline: all goes through
`agent.runtime.application`.
"""
