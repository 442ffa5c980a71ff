"""Faults that no pack shows alone: references between settings, and one key meaning two things."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from shared.policy.approvals.chain import Chain
from shared.policy.pack import Pack
from shared.policy.policies import Policies
from shared.policy.settings import Length, Names, Number, Setting, Steps

ROWS = {"S0": 47, "S1": 25, "S2": 21, "S3": 31, "S4": 27}
"""The last row of each source text in the requirements; a clause beyond it names nothing."""
AMBIGUITIES = 13
ALWAYS = frozenset(
    {"access.default_deny", "approval.four_eyes", "customer.file.single", "storage.encrypted", "trace.required"}
)
"""What every installation does; a pack says so, and cannot switch it off."""
NOTICE_KEY, REQUIRED_KEY = "policy.notice.before", "document.required"


def faults(packs: Sequence[Pack]) -> list[str]:
    """One sentence for everything wrong among these packs; empty when they can be used together."""
    within = (fault for pack in packs for fault in _within(pack, packs))
    return [*_two_meanings(packs), *_announced_late(packs), *within]


def unstated(packs: Sequence[Pack], on: date) -> Iterator[str]:
    """One sentence for each document that leaves blank what `document.required` has it state (S4-01)."""
    spoken = Policies(packs).speaking(REQUIRED_KEY, on)
    wanted = spoken[0].value or () if spoken is not None and isinstance(spoken[0], Names) else ()
    for pack in packs:
        for document in pack.documents:
            if blank := [name for name in wanted if not getattr(document, name, None)]:
                yield f"{pack.pack}/{document.document} does not state its {', '.join(blank)} ({REQUIRED_KEY}, S4-01)"


def _announced_late(packs: Sequence[Pack]) -> Iterator[str]:
    """Versions of which our people hear less than the notice before the day from which they hold."""
    policies = Policies(packs)
    for name, document in ((pack.pack, document) for pack in packs for document in pack.documents):
        for version in document.versions:
            days = (version.effective_from - version.announced).days
            spoken = policies.speaking(NOTICE_KEY, version.effective_from)
            notice = spoken[0] if spoken is not None else None
            if isinstance(notice, Length) and notice.unit == "calendar_days" and days < (notice.value or 0):
                yield (
                    f"{name}/{document.document}/{version.version} takes effect {days} days after its "
                    f"announcement, where {NOTICE_KEY} asks for {notice.value} (S1-23)"
                )


def _two_meanings(packs: Sequence[Pack]) -> Iterator[str]:
    first: dict[str, tuple[type[Any], str]] = {}
    for pack in packs:
        for edition in pack.editions():
            for key, setting in edition.settings.items():
                kind, where = first.setdefault(key, (type(setting), edition.stamp))
                if kind is not type(setting):
                    yield f"{key} is a {kind.__name__.lower()} in {where}, but otherwise in {edition.stamp}"


def _within(pack: Pack, packs: Sequence[Pack]) -> Iterator[str]:
    elsewhere = {key: one for other in packs for edition in other.editions() for key, one in edition.settings.items()}
    for edition in pack.editions():
        known = {**elsewhere, **edition.settings}
        for key, setting in edition.settings.items():
            for clause in setting.clauses:
                if _beyond(clause):
                    yield f"{key} in {edition.stamp} names the clause {clause}, which does not exist"
            if key in ALWAYS and setting.value is False:
                yield f"{key} in {edition.stamp} is false, but always so: it cannot be switched off"
            if isinstance(setting, Steps) and setting.value is not None:
                fronts = [{**known, **one.settings} for other in packs if other is not pack for one in other.editions()]
                wrong = [*_missing(setting.value, known)]
                if any(_falls(setting.value, view) for view in (known, *fronts)):
                    wrong.append("has limits that fall from one tier to the next")
                yield from (f"{key} in {edition.stamp} {fault}" for fault in wrong)


def _beyond(clause: str) -> bool:
    if clause.startswith("Q"):
        return not 1 <= int(clause[1:]) <= AMBIGUITIES
    source, _, row = clause.partition("-")
    return source in ROWS and not 1 <= int(row) <= ROWS[source]


def _missing(chain: Chain, known: Mapping[str, Setting]) -> Iterator[str]:
    lengths = {chain.within, chain.emergency.ratify_within if chain.emergency else None}
    for key in sorted(chain.keys):
        wanted = Length if key in lengths else Number
        if not isinstance(known.get(key), wanted):
            yield f"needs {key} as a {wanted.__name__.lower()}, which no pack declares"


def _falls(chain: Chain, known: Mapping[str, Setting]) -> bool:
    limits = [known.get(tier.limit) for tier in chain.tiers if tier.limit is not None]
    values = [one.value for one in limits if isinstance(one, Number) and one.value is not None]
    return any(later < earlier for earlier, later in itertools.pairwise(values))
