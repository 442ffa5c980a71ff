"""Rules: ask for money, decide on it, hand a gift over, settle (S0-31, S0-32, S0-40, S3-06, S3-22).

The state machine is that of every approval (shared/policy/approvals); who decides follows from the amount and the chain
of the packs. An unset limit refuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.customer.model.approving import Verdict, answered, recorded
from services.customer.model.budgets import CURRENCY, budget_of
from services.customer.model.customer import Customer
from services.customer.model.files import at_hand
from services.customer.model.spending import Spending
from shared.contracts import spending as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.contracts.spending import Kind
from shared.policy.approvals import asking, deciding, rescheduling
from shared.policy.approvals.acting import Acting
from shared.policy.approvals.decided import Decided
from shared.policy.approvals.escalating import Ladder
from shared.policy.approvals.moves import (
    AuthorisedInEmergency,
    Completed,
    Escalated,
    Lapsed,
    Rejected,
    Request,
    Rescheduled,
    Returned,
    StepApproved,
    StepHandedOver,
    Withdrawn,
)
from shared.policy.calendar.business import Calendar
from shared.policy.policies import Policies


class OccasionUnknown(Invalid):
    SLUG = "occasion-unknown"


class RequestUnknown(NotFound):
    SLUG = "request-unknown"


class NotApproved(Refusal):
    """Money is spent, and a gift handed over, once it is approved."""

    SLUG = "request-not-approved"


class HandedOverAlready(Refusal):
    SLUG = "gift-handed-over-already"


class NotARecipient(Invalid):
    SLUG = "not-a-recipient"


class SettledAlready(Refusal):
    SLUG = "request-settled-already"


class SpentTooMuch(Invalid):
    SLUG = "spent-more-than-approved"


@dataclass(frozen=True)
class Wanted:
    """What is asked for: `amount` in minor units for all customers together."""

    request_id: str
    kind: Kind
    amount: int
    customers: tuple[str, ...] = ()
    occasion: str | None = None
    visit_id: str | None = None
    note: str | None = None


def ask(
    wanted: Wanted,
    files: Mapping[str, Customer | None],
    requester: str,
    policies: Policies,
    on: date,
    now: datetime,
    authorised_by: Acting | None = None,
) -> list[Said]:
    """Ask for it; or record what somebody authorised at once, to be ratified by the whole chain (S0-32).

    Raises LimitUnset, CustomerUnknown, CustomerErased, OccasionUnknown, NoEmergencyPath, RequesterCannotApprove.
    """
    _check(wanted, files, policies, on)
    route = policies.route(f"{wanted.kind}.chain", on, wanted.amount)
    request = Request(
        approval_id=wanted.request_id, kind=wanted.kind, requester=requester, amount=wanted.amount, currency=CURRENCY
    )
    calendar = policies.calendar(on)
    if authorised_by is None:
        (decided,) = asking.submit(None, request, route, calendar, now)
    else:
        (decided,) = asking.authorise_in_emergency(None, request, route, authorised_by, calendar, now)
    only = files[wanted.customers[0]] if len(wanted.customers) == 1 else None
    event = said.SpendingRequested(
        request_id=wanted.request_id,
        kind=wanted.kind,
        customer_ids=list(wanted.customers),
        amount=wanted.amount,
        currency=CURRENCY,
        budget=budget_of(wanted.kind, on),
        requester=requester,
        steps=list(route.steps),
        due_at=decided.due.at if decided.due else None,
        authorised_by=decided.move.by if isinstance(decided.move, AuthorisedInEmergency) else None,
        occasion=wanted.occasion,
        visit_id=wanted.visit_id,
        dims={} if only is None else only.dims_now("manyi", {}, None),
    )
    return [recorded(event, decided, {} if wanted.note is None else {"note": wanted.note})]


def decide(
    state: Spending | None, who: Acting, verdict: Verdict, step: tuple[int, int], now: datetime, reason: str | None
) -> list[Said]:
    """Approve, reject or return the step (number, cycle) looked at.

    Raises RequestUnknown and what the approval rules raise.
    """
    known = existing(state)
    return _told(known, answered(known.approval, who, verdict, step, now, reason))


def ask_again(
    state: Spending | None, amount: int, note: str | None, who: Acting, policies: Policies, on: date, now: datetime
) -> list[Said]:
    """Send a returned request again, `amount` being the corrected one for all customers together.

    Raises RequestUnknown, ApprovalNotOpen, NotYourRequest, LimitUnset.
    """
    known = existing(state)
    route = policies.route(f"{known.kind}.chain", on, amount)
    request = known.approval.request.model_copy(update={"amount": amount, "currency": CURRENCY})
    (decided,) = asking.resubmit(known.approval, who, request, route, policies.calendar(on), now)
    event = said.SpendingResubmitted(
        **_about(known),
        amount=amount,
        currency=CURRENCY,
        budget=budget_of(known.kind, on),
        steps=list(route.steps),
        due_at=decided.due.at if decided.due else None,
    )
    return [recorded(event, decided, {} if note is None else {"note": note})]


def let_decide(
    state: Spending | None, who: Acting, to: str, until: datetime, step: tuple[int, int], now: datetime, reason: str
) -> list[Said]:
    """Let somebody else decide the waiting step. Raises HandOverRefused and what deciding raises."""
    known = existing(state)
    return _told(known, deciding.hand_over(known.approval, who, to, until, *step, now, reason))


def withdraw(state: Spending | None, who: Acting, now: datetime, reason: str | None) -> list[Said]:
    """Take a request back before it is decided. Raises NotYourRequest, ApprovalNotOpen."""
    known = existing(state)
    return _told(known, asking.withdraw(known.approval, who, now, reason))


def expire(state: Spending | None, now: datetime, ladder: Ladder | None = None) -> list[Said]:
    """What the passing of its deadline does; repeatable."""
    return [] if state is None else _told(state, deciding.expire(state.approval, now, ladder))


def reschedule(state: Spending | None, calendar: Calendar, now: datetime) -> list[Said]:
    """The deadline under an edited calendar; repeatable."""
    return [] if state is None else _told(state, rescheduling.reschedule(state.approval, calendar, now))


def hand_over(state: Spending | None, customer_id: str, now: datetime) -> list[Said]:
    """A customer has the gift. Raises NotApproved, NotARecipient, HandedOverAlready."""
    known = existing(state)
    if known.approval.status != "approved":
        raise NotApproved(f"this gift is {known.approval.status}; hand it over once it is approved")
    if customer_id not in known.customers:
        raise NotARecipient(f"this gift is not for customer {customer_id}; look in the request for whom it is")
    if customer_id in known.handed_over:
        raise HandedOverAlready(
            f"customer {customer_id} has it since {known.handed_over[customer_id]:%Y-%m-%d}; "
            "there is nothing more to do"
        )
    event = said.GiftHandedOver(**_about(known), customer_id=customer_id, at=now)
    return [Said(event, now)]


def settle(state: Spending | None, spent: int, now: datetime) -> list[Said]:
    """Record what was spent, in minor units. Raises NotApproved, SettledAlready, SpentTooMuch."""
    known = existing(state)
    if known.spent is not None:
        raise SettledAlready(
            f"{known.spent} minor units are settled for this {known.kind} already; there is nothing more to do"
        )
    if known.approval.status not in ("approved", "ratified", "violation"):
        raise NotApproved(f"this {known.kind} is {known.approval.status}; settle it once it is decided")
    if spent > known.amount:
        raise SpentTooMuch(f"{known.amount} minor units are approved; ask for the rest with a request of its own")
    event = said.SpendingSettled(**_about(known), amount=known.amount, spent=spent, currency=known.currency)
    return [Said(event, now)]


def existing(state: Spending | None) -> Spending:
    """The request there is. Raises RequestUnknown."""
    if state is None:
        raise RequestUnknown("there is no such request; list them first")
    return state


def _check(wanted: Wanted, files: Mapping[str, Customer | None], policies: Policies, on: date) -> None:
    for customer_id in wanted.customers:
        at_hand(customer_id, files.get(customer_id))
    if wanted.occasion is not None:
        known = policies.value("care.occasions", on).value
        if wanted.occasion not in known:
            raise OccasionUnknown(f"{wanted.occasion} is no occasion of care.occasions; there are {', '.join(known)}")


def _told(state: Spending, decided: Sequence[Decided]) -> list[Said]:
    return [recorded(_event(state, one), one) for one in decided]


def _event(state: Spending, one: Decided) -> said.RequestEvent:
    about, move = _about(state), one.move
    match move:
        case StepApproved():
            signed = move.signature.model_dump()
            return said.SpendingStepApproved(**about, step=move.step, role=move.role, late=move.late, **signed)
        case StepHandedOver():
            return said.SpendingStepHandedOver(**about, step=move.step, by=move.by, to=move.to, until=move.until)
        case Returned():
            signed = move.signature.model_dump()
            return said.SpendingReturned(**about, step=move.step, role=move.role, **signed)
        case Completed() | Rejected() | Lapsed():
            return said.SpendingDecided(**about, outcome=move.outcome, amount=state.amount, currency=state.currency)
        case Withdrawn():
            return said.SpendingDecided(**about, outcome="withdrawn", amount=state.amount, currency=state.currency)
        case Escalated():
            heard = move.model_dump(include={"step", "to", "level"})
            return said.SpendingEscalated(**about, **heard, people=list(move.people))
        case Rescheduled():
            again = move.model_dump(include={"due_before", "due_at", "calendar_version"})
            return said.SpendingRescheduled(**about, **again)
        case _:
            raise ValueError(f"{move.move} is no decision")


def _about(state: Spending) -> dict[str, Any]:
    return {"request_id": state.request_id, "kind": state.kind, "dims": state.dims}
