"""`python -m services.reporting`."""

from services.reporting.main import build
from shared.plumbing.app import serve

serve(build)
