"""Rules of substitutes: who signs for an absent one, in which role, from when until when (代理)."""

from datetime import datetime

from services.customer.model.staff import Staff, StandingIn, existing
from shared.contracts import staff as said
from shared.contracts.decision import NotFound, Refusal, Said


class SubstitutionRefused(Refusal):
    SLUG = "substitution-refused"


class SubstitutionUnknown(NotFound):
    SLUG = "substitution-unknown"


def arrange_substitute(
    state: Staff | None, arranged: StandingIn, by: str, now: datetime, reason: str | None = None
) -> list[Said]:
    """Let somebody take over a role of this one for a time. Raises StaffUnknown, SubstitutionRefused."""
    known = existing(state)
    if arranged.substitute == by:
        raise SubstitutionRefused("nobody puts himself in the place of another; somebody else has to arrange it")
    if arranged.role not in {one.role for one in known.posts.values()}:
        raise SubstitutionRefused(f"{known.staff_id} holds no post as {arranged.role}; nobody takes that over")
    if arranged.substitute == known.staff_id:
        raise SubstitutionRefused("nobody stands in for himself; name somebody else")
    if not now < arranged.until or not arranged.since < arranged.until:
        raise SubstitutionRefused("name a time that has an end ahead, after its beginning")
    event = said.SubstituteArranged(staff_id=known.staff_id, **arranged.model_dump())
    return [Said(event, now, {} if reason is None else {"reason": reason})]


def dismiss_substitute(state: Staff | None, substitution_id: str, now: datetime) -> list[Said]:
    """End an arrangement before its time. Raises StaffUnknown, SubstitutionUnknown."""
    known = existing(state)
    found = next((one for one in known.substitutions if one.substitution_id == substitution_id), None)
    if found is None:
        raise SubstitutionUnknown(
            f"{known.staff_id} has no substitution {substitution_id}; list those in force, it may be ended already"
        )
    return [dismissed(known, found, now)]


def dismissed(state: Staff, one: StandingIn, now: datetime) -> Said:
    """What is said when an arrangement ends before its time."""
    told = one.model_dump(include={"substitution_id", "substitute", "role"})
    return Said(said.SubstituteDismissed(staff_id=state.staff_id, at=now, **told), now)
