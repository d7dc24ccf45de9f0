"""The review page: people look at captures, say what is wrong, and correct boxes in a browser.

`desk` holds the captures, their order and who has which at the moment; `routes` are its calls,
`page/` is what the browser shows, `service` starts it. Everything that people say goes through
`agent.dataset.reviewed`, which adds a line to `verdicts.jsonl` and rewrites the labels.
"""
