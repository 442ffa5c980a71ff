"""The whole system, as `manyi up` runs it: supervised processes on a real Kafka and a real MongoDB."""

import os
import re
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from deploy.local.system import System, whole_system

COMPLAINT = re.compile(r'"level": ?"(warning|error|critical)"|\b(WARN|ERROR|FATAL)\b|"s":"[EF]"|Traceback|Error: ')
"""Of our own JSON logs, Kafka's, mongod's, and of a Python that ended."""


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the processes of its system complained of last: their logs are gone with its folder."""
    report = yield
    system = item.funcargs.get("system")
    if report.failed and isinstance(system, System):
        for log in sorted((system.data_dir / "logs").glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            said = [line[:500] for line in lines if COMPLAINT.search(line)]
            report.sections.append((f"complaints of {log.stem}, {len(said)} in all", "\n".join(said[-15:])))
    return report
