"""The packs as they stand behind one of ours that sets the limits they leave blank."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from shared.policy.pack import Pack
from shared.policy.policies import Policies
from shared.policy.shelf import PACKS, read_policies

NAMES = ("s0-enterprise", "s4-engineering", "s1s2s3-general")
GIFTS = {"gift.limit.specialist": 20_000, "gift.limit.manager": 100_000, "gift.budget.quarter": 500_000}
EXPENSES = {"expense.limit.supervisor": 50_000, "expense.budget.quarter": 200_000}


def version(name: str, day: str, *settings: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """One version of a document, in force from a day on."""
    return {"version": name, "announced": "2025-12-01", "effective_from": day, "settings": settings, **more}


def pack(*versions: Mapping[str, Any], name: str = "ours", **more: Any) -> dict[str, Any]:
    """A pack of our own with one document, as a file would hold it; `more` replaces what is said of the document."""
    document = {
        "document": "OURS",
        "zh": "本公司授权",
        "en": "our limits",
        "number": "A-1",
        "executing_department": "customer_relations",
        "owner_department": "customer_relations",
        "drafter": "manager",
        "reviewer": "director",
        "approver": "ceo",
        "released": "2025-12-01",
        "review_on": "2026-12-01",
        "versions": versions,
        **more,
    }
    return {"pack": name, "zh": "本公司", "en": "ours", "documents": [document]}


def ours(numbers: Mapping[str, int], unit: str = "minor") -> dict[str, Any]:
    """A pack with these numbers, as a file would hold it."""
    settings = [
        {"key": key, "unit": unit, "value": value, "clauses": ["S0-43"], "zh": "限额", "en": "limit"}
        for key, value in numbers.items()
    ]
    return pack(version("1", "2026-01-01", *settings))


def limited(numbers: Mapping[str, int], unit: str = "minor") -> Policies:
    """Our own numbers before the three packs."""
    return Policies([Pack.model_validate(ours(numbers, unit)), *read_policies(NAMES).packs])


def limits(folder: Path, numbers: Mapping[str, int], unit: str = "minor") -> dict[str, Any]:
    """Settings of a service that follows our own numbers before the three packs."""
    packs = folder / "packs"
    packs.mkdir()
    for name in NAMES:
        (packs / f"{name}.yaml").write_text((PACKS / f"{name}.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (packs / "ours.yaml").write_text(yaml.safe_dump(ours(numbers, unit), allow_unicode=True), encoding="utf-8")
    return {"policies": ",".join(("ours", *NAMES)), "policy_packs": packs}
