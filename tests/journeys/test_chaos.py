"""A short, seeded `manyi chaos`: every number equals the reference fold of what was acknowledged."""

import pytest

from deploy.chaos.faults import FAULTS
from deploy.chaos.run import Result, run

pytestmark = pytest.mark.stack

CYCLES = {"F1": 2, "F1-transaction": 1, "F8": 1}


async def test_a_short_seeded_run_is_exact() -> None:
    plan = [(fault, CYCLES[fault.name]) for fault in FAULTS if fault.name in CYCLES]
    results: dict[str, Result] = {}
    await run(plan, 4, 30, lambda _name, _seconds: None, results)
    assert {name: result.troubles for name, result in results.items()} == {name: [] for name in CYCLES}
    assert all(result.exact and result.acknowledged for result in results.values())
