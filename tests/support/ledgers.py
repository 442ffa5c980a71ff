"""A small subject for tests of the plumbing: an account with a sealed owner, entries as parts, and its rules."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from pymongo import InsertOne

from shared.contracts.decision import Refusal, Said, Scene, TooEarly
from shared.contracts.envelope import Code, Event
from shared.contracts.intake import Intake
from shared.contracts.state import Part, State
from shared.plumbing import database as seam
from shared.plumbing.clock import ManualClock
from shared.plumbing.identity import Identity
from shared.plumbing.intake import Heard, IntakeDesk, Understood
from shared.plumbing.journal import Aggregate, Cause, Draft, Ledger, Task
from shared.plumbing.keyring import Keyring
from shared.plumbing.sealing import BlindIndex, Seal
from tests.support.stack import Namespace, RealStack

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVICE = "bank"
MASTER = b"\x07" * 32


class AccountOpened(Event):
    TYPE: ClassVar[str] = "test.account.opened.v1"
    SUBJECT: ClassVar[str] = "account"
    account_id: Code


class EntryBooked(Event):
    TYPE: ClassVar[str] = "test.entry.booked.v1"
    SUBJECT: ClassVar[str] = "account"
    entry_id: Code
    amount: int
    codes: list[Code] = []


class EntryCancelled(Event):
    TYPE: ClassVar[str] = "test.entry.cancelled.v1"
    SUBJECT: ClassVar[str] = "account"
    entry_id: Code


class Entry(Part):
    """One booking; `note` is sealed."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"note"})
    amount: int
    cancelled: bool = False
    note: str | None = None


class Account(State):
    """The head: whose it is (sealed), the sum of its entries, and how often it changed."""

    PRIVATE: ClassVar[frozenset[str]] = frozenset({"owner_name"})
    PARTS: ClassVar[Mapping[str, tuple[str, type[Part]]]] = {"entries": ("entries", Entry)}
    account_id: str
    owner_name: str | None = None
    total: int = 0
    opened_at: datetime | None = None
    entries: dict[str, Entry] = {}


EVENTS: dict[str, type[Event]] = {event.TYPE: event for event in (AccountOpened, EntryBooked, EntryCancelled)}


def evolve(state: Account | None, event: Event, private: Mapping[str, Any]) -> Account:
    """Fold one event."""
    if isinstance(event, AccountOpened):
        return Account(account_id=event.account_id, owner_name=private.get("owner_name"), opened_at=NOON)
    assert state is not None
    if isinstance(event, EntryBooked):
        entry = Entry(amount=event.amount, note=private.get("note"))
        total = state.total + event.amount
        return state.model_copy(update={"total": total, "entries": {**state.entries, event.entry_id: entry}})
    assert isinstance(event, EntryCancelled)
    entry = state.entries[event.entry_id]
    entries = {**state.entries, event.entry_id: entry.model_copy(update={"cancelled": True})}
    return state.model_copy(update={"total": state.total - entry.amount, "entries": entries})


ACCOUNTS = Aggregate("accounts", Account, evolve, lambda state: state.account_id)
Rule = Callable[[Account | None], Sequence[Said]]


def on(account: str, rule: Rule, *entries: str) -> Task[Account]:
    """A task on one account that needs the named entries."""

    def decide(state: Account | None, _scene: Scene) -> Sequence[Said]:
        return rule(state)

    return Task(ACCOUNTS, account, decide, {"entries": frozenset(entries)} if entries else {})


def opening(account: str, owner: str | None = None) -> Task[Account]:
    """Open the account unless it is open."""
    private = {} if owner is None else {"owner_name": owner}
    return on(account, lambda state: [] if state else [Said(AccountOpened(account_id=account), NOON, private)])


def booking(account: str, entry: str, amount: int, note: str | None = None, codes: Sequence[str] = ()) -> Task[Account]:
    """Book an entry, opening the account if need be. A negative amount is refused."""

    def rule(state: Account | None) -> list[Said]:
        if amount < 0:
            raise Refusal("an amount is not negative")
        opened = [] if state else [Said(AccountOpened(account_id=account), NOON)]
        booked = EntryBooked(entry_id=entry, amount=amount, codes=list(codes))
        return [*opened, Said(booked, NOON, {} if note is None else {"note": note})]

    return on(account, rule, entry)


def cancelling(account: str, entry: str) -> Task[Account]:
    """Cancel an entry; early before it is booked, refused when it is cancelled."""

    def rule(state: Account | None) -> list[Said]:
        found = state.entries.get(entry) if state else None
        if found is None:
            raise TooEarly("the entry is not booked yet")
        if found.cancelled:
            raise Refusal("the entry is cancelled already")
        return [Said(EntryCancelled(entry_id=entry), NOON)]

    return on(account, rule, entry)


class Booked(Intake):
    """Intake type of `booking`."""

    TYPE: ClassVar[str] = "entry.booked"
    IDENTITY: ClassVar[tuple[str, ...]] = ("entry",)
    account: Code
    entry: Code
    amount: int
    note: str | None = None


class Cancelled(Intake):
    """Intake type of `cancelling`."""

    TYPE: ClassVar[str] = "entry.cancelled"
    IDENTITY: ClassVar[tuple[str, ...]] = ("entry",)
    account: Code
    entry: Code


def _booked(heard: Heard) -> Task[Account]:
    return booking(heard.data.account, heard.data.entry, heard.data.amount, heard.data.note)


def _cancelled(heard: Heard) -> Task[Account]:
    return cancelling(heard.data.account, heard.data.entry)


UNDERSTOOD = (Understood(Booked, _booked), Understood(Cancelled, _cancelled))


def keyring(client: seam.Client, namespace: Namespace, *masters: bytes) -> Keyring:
    """The keys of this test's persons, wrapped with the first of the master keys."""
    return Keyring(client[f"{namespace.database_prefix}keys"], Seal(*(masters or (MASTER,))), BlindIndex(MASTER))


def anything() -> InsertOne[dict[str, Any]]:
    """Some document, so that there is something to commit."""
    return InsertOne({"at": NOON})


@asynccontextmanager
async def ledger(stack: RealStack, namespace: Namespace) -> AsyncIterator[Ledger]:
    """A prepared ledger in this test's own database, through the one seam that opens a client."""
    client = seam.open_client(stack.mongo)
    try:
        database = client[f"{namespace.database_prefix}{SERVICE}"]
        found = Ledger(client, database, keyring(client, namespace), ManualClock(NOON), SERVICE)
        await found.prepare()
        yield found
    finally:
        await client.close()


async def desk(of: Ledger, understood: Sequence[Understood] = UNDERSTOOD, cap: int = 100) -> IntakeDesk:
    """A prepared intake desk on the ledger."""
    identity = Identity(b"\x05" * 32)
    found = IntakeDesk(of, identity, understood, shard="test", max_dead_letters_in_a_row=cap)
    await found.prepare()
    return found


async def carried_out(of: Ledger, *tasks: Task[Any]) -> Draft:
    """Decide the tasks one after another and commit them in one transaction."""
    draft = await decided(of, *tasks)
    await of.commit(draft)
    return draft


async def decided(of: Ledger, *tasks: Task[Any]) -> Draft:
    """A draft with the tasks decided, not yet committed."""
    draft = Draft()
    await of.load(draft, tasks)
    for task in tasks:
        of.decide(draft, task, of.clock.now(), Cause("test", "correlation", "cause"))
    return draft


async def stored(of: Ledger, account: str) -> Account | None:
    """The state as a reader finds it, with all its entries."""
    found = [entry["_id"] async for entry in of.database["entries"].find({"owner": account})]
    draft = Draft()
    await of.load(draft, [on(account, lambda _: [], *found)])
    state: Account | None = draft.read["accounts", account].state
    return state
