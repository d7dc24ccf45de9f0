"""The far sides: what each request looks like and what each answer means.

`outcome` decides what an answer proves, `pace` decides when the next request may go. The targets
(`http`, `directory`) do what the port says; `receiver` is a small far side of our own, which
keeps what it gets as a `dataset`.
"""
