"""`python -m services.reporting`."""

import gc

from shared.plumbing.starting import start

# A batch makes half a million small objects without cycles and drops them again: looking for some after every 700 of
# them, as is the default, took half of the time, and after every 100,000 of them still more than a tenth.
gc.set_threshold(2_000_000, 20, 100)

start("reporting")
