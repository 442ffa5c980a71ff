"""The packs as they stand behind one of ours that sets the deadlines of cases."""

from typing import Any
from zoneinfo import ZoneInfo

from services.feedback.model.deadlines import Deadlines
from shared.policy.pack import Pack
from shared.policy.policies import Policies
from shared.policy.shelf import read_policies

PACKS = ("s0-enterprise", "s4-engineering", "s1s2s3-general")
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
    document: dict[str, Any] = {
        "document": "OURS",
        "zh": "本公司时限",
        "en": "our deadlines",
        "number": "A-1",
        "executing_department": "customer_relations",
        "owner_department": "customer_relations",
        "drafter": "manager",
        "reviewer": "director",
        "approver": "ceo",
        "released": "2025-12-01",
        "review_on": "2026-12-01",
        "versions": [{"version": "1", "announced": "2025-12-01", "effective_from": "2026-01-01", "settings": settings}],
    }
    ours = Pack.model_validate({"pack": "ours", "zh": "本公司", "en": "ours", "documents": [document]})
    return Deadlines(Policies([ours, *read_policies(PACKS).packs]), ZoneInfo("Asia/Shanghai"))
