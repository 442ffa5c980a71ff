"""`python -m services.survey`."""

from services.survey.main import build
from shared.plumbing.app import serve

serve(build)
