"""`python -m services.survey`."""

from shared.plumbing.starting import start

start("survey")
