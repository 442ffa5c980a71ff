"""A state as of an earlier moment, folded from the journal: what was recorded by then (ARCHITECTURE §4)."""

from datetime import datetime
from typing import TypeVar

import orjson

from shared.contracts.catalogue import CATALOGUE
from shared.contracts.state import State
from shared.plumbing.hiding import open_documents
from shared.plumbing.journal import Aggregate, Ledger, Loaded

S = TypeVar("S", bound=State)


async def as_of(ledger: Ledger, aggregate: Aggregate[S], subject: str, moment: datetime) -> Loaded[S]:
    """The subject as it stood after the last event recorded at or before `moment`, with its parts; version 0 before.

    What is personal comes back only while the person has a key: of who was erased it stays away, from before too.
    """
    query = {"subject": subject, "recorded": {"$lte": moment}}
    wanted = {"event": 1, "private": 1, "person": 1, "revision": 1, "key": 1, "at": 1, "recorded": 1}
    records = await ledger.database["journal"].find(query, wanted).sort("revision", 1).to_list()
    sealed = [("journal", {**record, "sealed": record["private"]}) for record in records if "private" in record]
    opened = await open_documents(ledger.keyring, sealed)
    loaded = Loaded[S](None)
    erased = False
    for record in records:
        private = opened.get(("journal", record["_id"]), {})
        erased = erased or ("private" in record and not private)
        envelope = orjson.loads(record["event"])
        event = CATALOGUE[envelope["type"]].event.model_validate(envelope["data"])
        state: S | None
        try:
            state = aggregate.folded(loaded.state, event, private, record["at"])
        except (KeyError, ValueError):
            if not erased:
                raise
            state = loaded.state  # without its erased part, the event says nothing that could be shown
        loaded = Loaded(state, record["revision"], record["key"], record["recorded"])
    return loaded
