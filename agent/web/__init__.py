"""The HTTP server of the API and of the pages at the desk; its libraries come with `[web]`.

`address` parses where it listens, `server` runs it in a thread of its own, `guard` stands before
every route: `Host`, `Origin` and token, sizes of bodies, headers of responses. `app` turns routes
into what the server calls. Nothing here knows what is served.
"""
