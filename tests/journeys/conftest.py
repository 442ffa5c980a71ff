"""The whole system, as `manyi up` runs it: supervised processes on a real Kafka and a real MongoDB."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.system import System, whole_system


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    """A fresh system of this test's own."""
    async with whole_system(tmp_path / "data") as running:
        yield running


@pytest.fixture
def data_folder() -> Path:
    """The folder of the data sets that are not bundled; without it the test is skipped, with the reason."""
    folder = os.environ.get("MANYI_DATA")
    if not folder:
        pytest.skip("MANYI_DATA names no folder: the real files of the tapes that are not bundled are not at hand")
    return Path(folder)
