"""`python -m services.feedback`."""

from shared.plumbing.starting import start

start("feedback")
