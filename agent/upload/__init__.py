"""Delivery to endpoints: what each request looks like and what each response means.

`response` decides what a response proves, `backoff` decides when the next request may start.
`targets` has one adapter for each kind of endpoint, and `http` the connections that they share.
"""
