"""`python -m services.customer`."""

from shared.plumbing.starting import start

start("customer")
