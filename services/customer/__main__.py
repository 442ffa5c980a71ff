"""`python -m services.customer`."""

from services.customer.main import build
from shared.plumbing.app import serve

serve(build)
