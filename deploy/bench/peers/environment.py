"""Interpreters for peers whose packages have no place in our lock: made by uv under the cache, versions pinned here."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local.places import PRIVATE, cache_dir
from deploy.local.trouble import CannotContinue

SHARED = ("orjson==3.13.0", "pymongo==4.20.0")
BYTEWAX = ("bytewax==0.21.1", "confluent-kafka==2.16.1", *SHARED)
QUIX = ("quixstreams==3.28.1", "confluent-kafka==2.12.2", *SHARED)


def interpreter(requirements: Sequence[str]) -> Path:
    """A Python that has them; made once. Raises CannotContinue when uv or a package cannot be had."""
    place = cache_dir() / "bench" / requirements[0].replace("==", "-")
    python = place / "bin" / "python"
    done = place / "complete"
    if done.exists():
        return python
    uv = shutil.which("uv") or str(PRIVATE / "uv" / "bin" / "uv")
    base = Path(sys.base_prefix) / "bin" / "python3"
    for arguments in (
        ["venv", "--quiet", "--clear", "--python", str(base), str(place)],
        ["pip", "install", "--quiet", "--python", str(python), *requirements],
    ):
        try:
            subprocess.run([uv, *arguments], check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise CannotContinue(f"uv is needed to install {requirements[0]}: put it on PATH.") from error
        except subprocess.CalledProcessError as error:
            raise CannotContinue(f"{requirements[0]} cannot be installed: {error.stderr.strip()[-500:]}") from error
    done.touch()
    return python
