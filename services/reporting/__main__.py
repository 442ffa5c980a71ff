"""`python -m services.reporting`."""

import gc

from shared.plumbing.starting import start

# A batch makes and drops a hundred thousand small objects without cycles: looking for some after every 700 of them,
# as is the default, took half of the time.
gc.set_threshold(100_000, 20, 100)

start("reporting")
