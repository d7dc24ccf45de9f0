"""What devices say of themselves: their heartbeats, and a view of all of them."""
