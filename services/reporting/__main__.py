"""`python -m services.reporting`."""

from shared.plumbing.starting import start

# A batch makes half a million small objects without cycles and drops them again: looking for some after every 700 of
# them, as is the default, took half of the time, and after every 100,000 of them still more than a tenth.
start("reporting", young_objects=2_000_000)
