"""What runs in the background: who refuses or is away is asked again, and a mistake of ours is not hidden."""

import pytest
from pymongo.errors import AutoReconnect

from shared.plumbing.running import repeat
from shared.policy.policies import LimitUnset


async def test_a_chore_whose_limit_is_not_set_or_whose_database_is_away_runs_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    happens = [LimitUnset("calendar.company", "packs/ours.yaml"), AutoReconnect("away"), ZeroDivisionError()]

    async def chore() -> None:
        raise happens.pop(0)

    with pytest.raises(ZeroDivisionError):
        await repeat(0, chore)
    assert happens == []
    told = "".join(capsys.readouterr())
    assert "calendar.company is not set: set it in packs/ours.yaml" in told
