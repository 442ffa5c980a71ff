"""What becomes of the events of a batch: duplicates found, rules asked, early ones tried again."""

from collections.abc import Sequence
from datetime import datetime

from shared.contracts.decision import Refusal, TooEarly
from shared.plumbing.database import Database
from shared.plumbing.intake.items import Item
from shared.plumbing.journal import Cause, Draft, Ledger
from shared.plumbing.telemetry import logger
from shared.plumbing.tracing import sane_correlation, sane_trace

log = logger("intake")


async def mark_duplicates(database: Database, items: Sequence[Item]) -> None:
    """Find what was taken before, and what stands twice among these."""
    ids = [item.receipt_id for item in items if item.receipt_id and not item.receipted]
    identities = [item.identity for item in items if item.identity]
    seen: set[str] = set()
    query = {"$or": [{"_id": {"$in": ids}}, {"identity": {"$in": identities}}]} if identities else {"_id": {"$in": ids}}
    if ids or identities:
        async for receipt in database["receipts"].find(query, {"identity": 1}):
            seen.update(filter(None, (receipt["_id"], receipt.get("identity"))))
    # What is no CloudEvent has no receipt; its place in the quarantine tells that it was counted.
    places = [item.place for item in items if not item.receipt_id]
    if places:
        async for kept in database["quarantine"].find({"_id": {"$in": places}}, {"_id": 1}):
            seen.add(kept["_id"])
    for item in items:
        name = item.receipt_id or item.place
        if name in seen or (item.identity and item.identity in seen):
            item.outcome, item.reason = "duplicate", None
        seen.add(name)


def decide_all(ledger: Ledger, draft: Draft, items: Sequence[Item], waiting: Sequence[Item], now: datetime) -> None:
    """Decide every item, then the waiting ones. Of a fact told twice in a batch the first not refused counts.

    So a correction is taken beside what it corrects, as it would be in a batch of its own.
    """
    undecided = [item for item in items if item.task is not None and item.outcome == "accepted"]
    woken = [item for item in waiting if item.task is not None]
    while undecided or woken:
        told: dict[str, Item] = {}
        again: list[tuple[Item, Item]] = []
        for item in undecided:
            if item.identity and item.identity in told:
                again.append((item, told[item.identity]))
                continue
            _decide(ledger, draft, item, now)
            if item.identity and item.outcome != "rejected":
                told[item.identity] = item
        decide_waiting(ledger, draft, [*(item for item in undecided if item.outcome == "early"), *woken], now)
        undecided = [item for item, before in again if before.outcome == "rejected"]
        woken = [item for item in (*items, *waiting) if item.outcome == "early"] if undecided else []
        for item, before in again:
            if before.outcome != "rejected":
                item.outcome, item.reason = "duplicate", None


def _decide(ledger: Ledger, draft: Draft, item: Item, now: datetime) -> None:
    event, task = item.event, item.task
    if event is None or task is None:
        raise ValueError("an event that was not understood cannot be decided")
    # The receipt's name stands for the foreign event, whose own id may be a customer's or an order's: those stay.
    name = item.receipt_id
    cause = Cause(
        f"source:{event.source}", sane_correlation(event.correlationid) or name, name, sane_trace(event.traceparent)
    )
    try:
        ledger.decide(draft, task, now, cause)
    except TooEarly as waits:
        item.outcome, item.reason = "early", str(waits)
        item.waits = waits.waits or (task.aggregate.collection, task.subject)
    except Refusal as refusal:
        item.outcome, item.reason = "rejected", str(refusal)
        if not refusal.KEEPS:
            item.raw = b""
    except Exception as error:
        # A fault of ours must not hold up the events behind it: this one is kept, with its reason, for a retry.
        log.exception("rule failed", place=item.place, type=item.type)
        item.outcome, item.reason = "rejected", f"internal fault: {type(error).__name__}"
    else:
        item.outcome, item.reason = "accepted", None


def decide_waiting(ledger: Ledger, draft: Draft, waiting: Sequence[Item], now: datetime) -> None:
    """Try the early records again until none of them moves: one may have waited for another."""
    open_items = [item for item in waiting if item.task is not None]
    while open_items:
        for item in open_items:
            _decide(ledger, draft, item, now)
        left = [item for item in open_items if item.outcome == "early"]
        if len(left) == len(open_items):
            return
        open_items = left
