"""The packs as they stand behind one of ours that sets the deadlines of cases."""

from zoneinfo import ZoneInfo

from services.feedback.model.deadlines import Deadlines
from shared.policy.pack import Pack
from shared.policy.policies import Policies
from shared.policy.shelf import read_policies
from tests.support.limits import NAMES, pack, version

MINUTES = {"case.acknowledge.within": 60, "case.respond.within": 120, "case.resolve.within": 960}


def deadlines() -> Deadlines:
    """Business minutes by kind for ordinary cases; urgent ones have half, other urgencies none."""
    settings = [
        {
            "key": key,
            "unit": "table",
            "of": "business_minutes",
            "value": {"urgent": minutes // 2, "normal": minutes},
            "clauses": ["S1-09"],
            "zh": "时限",
            "en": "deadline",
        }
        for key, minutes in MINUTES.items()
    ]
    ours = Pack.model_validate(pack(version("1", "2026-01-01", *settings)))
    return Deadlines(Policies([ours, *read_policies(NAMES).packs]), ZoneInfo("Asia/Shanghai"))
