"""Where things lie on this machine; nothing here is inside git."""

import os
import shutil
from pathlib import Path

from deploy.local.trouble import CannotContinue

ROOT = Path(__file__).resolve().parents[2]
PRIVATE = ROOT / ".manyi"
DEFAULT_DATA = PRIVATE / "data"
LAST_DATA = PRIVATE / "last-data"
"""Names the data directory of the latest `up`; so `status` and `down` find one started with --data or --ephemeral."""

LEAST_FREE_BYTES = 500 * 1024 * 1024
"""mongod and Kafka preallocate a few hundred megabytes and stop badly when they run out of space."""


def cache_dir() -> Path:
    """Downloads that checkouts share: MANYI_CACHE, else the user's cache directory, else the checkout's own."""
    if configured := os.environ.get("MANYI_CACHE"):
        return Path(configured).expanduser()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    probe = base if base.exists() else base.parent
    return base / "manyi" if os.access(probe, os.W_OK) else PRIVATE / "cache"


def refuse_full_disk(folder: Path, least: int = LEAST_FREE_BYTES) -> None:
    """Raise CannotContinue when the disk holding `folder` has fewer than `least` bytes left."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < least:
        raise CannotContinue(
            f"The disk holding {folder} has {free // 2**20} MiB left and Manyi needs {least // 2**20} MiB: "
            "free some space, or choose another place with --data DIR."
        )
