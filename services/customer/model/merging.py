"""Rules: two files about one customer become one, and two again (S0-34 一客一档, S2-15).

The survivor adopts orders, contracts and entitlements with their original times; responses and cases stay with the
customer they were about, and so do people, conversations and promises, which are shown with the survivor. What the
merged customer said no to is a no of the survivor's, and stays one: it takes a person to say yes again. A file is
merged once, into one that is not merged itself: so unmerging is always possible, in any order.
Each step is two rules, one for each file, decided one after the other in one transaction: the first one checks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from services.customer.model.consents import Consent
from services.customer.model.customer import Customer
from services.customer.model.entitled import Entitlement
from services.customer.model.files import CustomerUnknown
from services.customer.model.parts import Contract, Purchase
from shared.contracts import consent
from shared.contracts import entitlements as entitled
from shared.contracts import merges as said
from shared.contracts.decision import Invalid, Refusal, Said

MOST_PARTS = 5_000
"""Orders, contracts and entitlements that one merge moves: they change hands in one transaction."""


class MergeRefused(Refusal):
    SLUG = "merge-refused"


class MergeTooLarge(Invalid):
    SLUG = "merge-too-large"


class NotMerged(Refusal):
    SLUG = "not-merged"


class NotYoursToMerge(Refusal):
    """Only those who approve merges undo them."""

    STATUS = 403
    SLUG = "merge-not-permitted"


@dataclass(frozen=True)
class Act:
    """One merge or unmerge: its id, when, why, and the policy version that says who may."""

    merge_id: str
    now: datetime
    reason: str
    policy_version: str


def may_merge(survivor: Customer | None, merged: Customer | None) -> tuple[Customer, Customer]:
    """The two files, if they could be one. Raises CustomerUnknown, MergeRefused, MergeTooLarge."""
    ours, theirs = _both(survivor, merged)
    if ours.customer_id == theirs.customer_id:
        raise MergeRefused("a file cannot be merged with itself; name two files")
    for one in (ours, theirs):
        if one.merged_into is not None:
            raise MergeRefused(f"{one.code} is merged into {one.merged_into} already; merge that one, or unmerge first")
    if theirs.absorbed:
        raise MergeRefused(f"others are merged into {theirs.code}; let it survive, or unmerge those first")
    if (parts := len(theirs.purchases) + len(theirs.contracts) + len(theirs.entitlements)) > MOST_PARTS:
        raise MergeTooLarge(
            f"{theirs.code} has {parts} orders, contracts and entitlements, at most {MOST_PARTS} move at once; let it "
            "survive"
        )
    return ours, theirs


def absorb(act: Act, survivor: Customer | None, merged: Customer | None) -> list[Said]:
    """First, on the survivor: it takes over what the other bought. Raises MergeRefused, MergeTooLarge."""
    ours, theirs = may_merge(survivor, merged)
    return [
        _merged(act, ours, ours, theirs),
        *_adopted(act, ours, theirs, theirs.purchases.items(), origin=theirs.customer_id),
        *_taken_over(act, ours, theirs, theirs.contracts.items(), origin=theirs.customer_id),
        *_entitled(act, ours, theirs, theirs.entitlements.items(), origin=theirs.customer_id),
        *_unwilling(act, ours, theirs),
    ]


def give_up(act: Act, survivor: Customer | None, merged: Customer | None) -> list[Said]:
    """Then, on the merged file: it has no business of its own any more."""
    ours, theirs = _both(survivor, merged)
    return [_merged(act, theirs, ours, theirs)]


def take_back(act: Act, survivor: Customer | None, merged: Customer | None) -> list[Said]:
    """First, on the file that was merged: it has its business again, what came meanwhile included. Raises NotMerged."""
    ours, theirs = _both(survivor, merged)
    if theirs.merged_into != ours.customer_id:
        raise NotMerged(f"{theirs.code} is not merged into {ours.code}; there is nothing to undo")
    orders, contracts, entitlements = _of(ours, theirs)
    return [
        _unmerged(act, theirs, ours, theirs),
        *_adopted(act, theirs, ours, orders, origin=None),
        *_taken_over(act, theirs, ours, contracts, origin=None),
        *_entitled(act, theirs, ours, entitlements, origin=None),
    ]


def release(act: Act, survivor: Customer | None, merged: Customer | None) -> list[Said]:
    """Then, on the survivor: what belongs to the other one by itself has left."""
    ours, theirs = _both(survivor, merged)
    orders, contracts, entitlements = _of(ours, theirs)
    gone = {"customer_id": ours.customer_id, "merge_id": act.merge_id, "to_id": theirs.customer_id}
    return [
        *(
            Said(said.PurchaseReleased.model_validate({**gone, "purchase_id": name, "dims": one.dims}), act.now)
            for name, one in orders
        ),
        *(
            Said(said.ContractReleased.model_validate({**gone, "contract_id": name, "dims": one.dims}), act.now)
            for name, one in contracts
        ),
        *(
            Said(entitled.EntitlementReleased.model_validate({**gone, "entitlement_id": name}), act.now)
            for name, _ in entitlements
        ),
        _unmerged(act, ours, ours, theirs),
    ]


def _both(survivor: Customer | None, merged: Customer | None) -> tuple[Customer, Customer]:
    if survivor is None or merged is None:
        raise CustomerUnknown("one of the two files does not exist; look both up with GET /v1/customers")
    return survivor, merged


Orders: TypeAlias = list[tuple[str, Purchase]]
Contracts: TypeAlias = list[tuple[str, Contract]]
Entitlements: TypeAlias = list[tuple[str, Entitlement]]


def _of(ours: Customer, theirs: Customer) -> tuple[Orders, Contracts, Entitlements]:
    """What the survivor holds for the other one; a reward for an order goes with the order."""
    mine = theirs.customer_id
    orders = [(name, one) for name, one in ours.purchases.items() if one.origin == mine]
    bought = {name for name, _ in orders}
    return (
        orders,
        [(name, one) for name, one in ours.contracts.items() if one.origin == mine],
        [(name, one) for name, one in ours.entitlements.items() if one.origin == mine or one.purchase_id in bought],
    )


def _merged(act: Act, subject: Customer, ours: Customer, theirs: Customer) -> Said:
    event = said.CustomersMerged(
        customer_id=subject.customer_id,
        merge_id=act.merge_id,
        survivor_id=ours.customer_id,
        merged_id=theirs.customer_id,
        contacted_at=theirs.contacted_at,
        dims=subject.dims_now("manyi", {}, None),
    )
    return Said(event, act.now, {"reason": act.reason}, policy_version=act.policy_version)


def _unmerged(act: Act, subject: Customer, ours: Customer, theirs: Customer) -> Said:
    event = said.CustomersUnmerged(
        customer_id=subject.customer_id,
        merge_id=act.merge_id,
        survivor_id=ours.customer_id,
        merged_id=theirs.customer_id,
        dims=subject.dims_now("manyi", {}, None),
    )
    return Said(event, act.now, {"reason": act.reason}, policy_version=act.policy_version)


def _adopted(
    act: Act, to: Customer, giver: Customer, orders: Iterable[tuple[str, Purchase]], origin: str | None
) -> Iterable[Said]:
    for name, one in orders:
        event = said.PurchaseAdopted(
            customer_id=to.customer_id,
            merge_id=act.merge_id,
            from_id=giver.customer_id,
            purchase_id=name,
            **one.model_dump(exclude={"timezone", "origin"}),
        )
        yield Said(event, act.now, {"timezone": one.timezone, "origin": origin}, one.timezone)


def _taken_over(
    act: Act, to: Customer, giver: Customer, contracts: Iterable[tuple[str, Contract]], origin: str | None
) -> Iterable[Said]:
    told = {"amount_told_at", "end_told_at", "timezone", "monthly_amount"}
    for name, one in contracts:
        event = said.ContractAdopted(
            customer_id=to.customer_id,
            merge_id=act.merge_id,
            from_id=giver.customer_id,
            contract_id=name,
            monthly_amount=one.signed_amount,
            **one.model_dump(exclude={*told, "origin", "signed_amount"}),
        )
        yield Said(event, act.now, {**one.model_dump(include=told), "origin": origin}, one.timezone)


def _entitled(
    act: Act, to: Customer, giver: Customer, held: Iterable[tuple[str, Entitlement]], origin: str | None
) -> Iterable[Said]:
    words = {"reason", "used_for"}
    for name, one in held:
        event = entitled.EntitlementAdopted(
            customer_id=to.customer_id,
            merge_id=act.merge_id,
            from_id=giver.customer_id,
            entitlement_id=name,
            dims=to.dims_now("manyi", {}, None),
            **one.model_dump(exclude={*words, "origin"}),
        )
        private = one.model_dump(include=words, exclude_none=True)
        yield Said(event, act.now, {**private, "origin": origin})


def _unwilling(act: Act, ours: Customer, theirs: Customer) -> list[Said]:
    """What the merged customer said no to, where the survivor has not."""
    no = {one.purpose for one in theirs.consents.values() if _no(one, theirs)}
    left = sorted(no - {one.purpose for one in ours.consents.values() if _no(one, ours)})
    if not left:
        return []
    event = consent.ConsentWithdrawn(
        customer_id=ours.customer_id,
        person_id=ours.customer_id,
        purposes=left,
        at=act.now,
        dims=ours.dims_now("manyi", {}, None),
    )
    return [Said(event, act.now, policy_version=act.policy_version)]


def _no(one: Consent, state: Customer) -> bool:
    return one.person_id == state.customer_id and one.status == "withdrawn"
