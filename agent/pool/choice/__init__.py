"""Chooses the images of a pool that together would show the most failures.

`greedy.choose` takes in each step the candidate with the highest value beside what it has chosen.
As no value rises when more is chosen, the last known value of a candidate is an upper bound, and
most candidates are never compared again (Minoux 1978, "Accelerated greedy algorithms"). The bounds
of all candidates are kept as one number each; views only of those with the highest bounds.
"""
