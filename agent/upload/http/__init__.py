"""HTTP as every target uses it: one client with deadlines, a rate limit and TLS options."""
