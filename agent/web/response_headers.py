"""Headers of every response to a browser: nothing is stored, framed, guessed or told elsewhere."""

CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""Of what is no page."""

PROTECTION = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", CONTENT_POLICY),
    ("cache-control", "no-store"),
)
"""Of a response that says nothing else."""
