"""What holds for all tests."""

from hypothesis import settings

# Machines differ in speed, and a slow one is no bug of the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
