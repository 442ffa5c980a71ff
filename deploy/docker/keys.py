"""`python -m deploy.docker.keys`: make the installation's keys in /keys, once; every service reads them from there."""

from pathlib import Path

from deploy.local.state import ensure_keys

KEYS = Path("/keys")

if __name__ == "__main__":
    ensure_keys(KEYS)
