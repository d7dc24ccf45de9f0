"""Tells an MQTT broker what the cameras do, and takes `Capture now` from it; off by default.

`address` parses AGENT_MQTT_URL. `topics`, `messages`, `discovery`, `entities` and `commands` are
pure: what is published where, and what a message asks for. `publisher` decides what has changed,
`command_desk` asks for captures, `client` is one connection to the broker, and `connection` keeps
one open in a thread of its own.

The library comes with the extra `[mqtt]`. Nothing here touches the pipeline: all goes through
`agent.runtime.application`.
"""
