"""`python -m services.feedback`."""

from services.feedback.main import build
from shared.plumbing.app import serve

serve(build)
