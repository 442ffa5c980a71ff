"""`python -m services.reporting`."""

import gc

from services.reporting.main import build
from shared.plumbing.app import serve

# A batch makes and drops a hundred thousand small objects without cycles: looking for some after every 700 of them,
# as is the default, took half of the time.
gc.set_threshold(100_000, 20, 100)

serve(build)
