"""Forget once more whom an older backup brought back (PIPL 47): the key is gone, the file does not know it yet.

What was sealed stays unreadable without this. But tags to search by and what is known of an organisation stand open in
a file, and reporting and the survey service go by what the journal says.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from services.customer.commands.erase_person import files_of, forgetting
from services.customer.model.erasure import MergedMeanwhile
from services.customer.model.files import CustomerErased
from shared.contracts.customer import ErasureCompleted
from shared.plumbing.commands import perform
from shared.plumbing.database import Document
from shared.plumbing.journal import Cause, Ledger
from shared.plumbing.telemetry import logger

log = logger("erasure")
LOOKED_FOR_AT_ONCE = 10_000
UNTOUCHED: Mapping[str, Mapping[str, Any]] = {
    "customers": {"erased_at": None},
    "contacts": {"sealed": {"$exists": True}},
}
"""Where persons are kept, and what their documents are like while nobody has erased them, or they are known anew."""


async def erase_again(ledger: Ledger) -> None:
    """Erase everybody whose key was destroyed and of whose erasure the journal does not tell; safe to repeat.

    Raises Stale after too many lost races.
    """
    destroyed = {one["_id"]: one for one in await ledger.keyring.destroyed()}
    persons = await _untouched(ledger, list(destroyed))
    # A file before the people in it: they go with it.
    for gone in sorted((destroyed[one] for one in persons), key=lambda one: "within" in one):
        if await _is_known(ledger, gone):
            continue
        person, within = gone["_id"], gone.get("within")
        files = [within] if within else [one for one in await files_of(ledger, person) if one in persons]
        tasks = forgetting(files, person if within else None, uuid.uuid4().hex, [])
        try:
            await perform(ledger, tasks, Cause("restore"))
        except CustomerErased:  # by another process that starts just now
            continue
        except MergedMeanwhile as refusal:
            log.critical("a person whom a backup brought back must be erased by hand", file=person, why=str(refusal))
        else:
            log.warning("a person whom a backup brought back is erased again", files=files)


async def _untouched(ledger: Ledger, persons: Sequence[str]) -> set[str]:
    """Those of whom something is here as if nobody had erased them."""
    found: set[str] = set()
    for first in range(0, len(persons), LOOKED_FOR_AT_ONCE):
        among = {"_id": {"$in": persons[first : first + LOOKED_FOR_AT_ONCE]}}
        for collection, untouched in UNTOUCHED.items():
            found |= {one["_id"] async for one in ledger.database[collection].find({**among, **untouched}, {"_id": 1})}
    return found


async def _is_known(ledger: Ledger, gone: Document) -> bool:
    """Whether the journal tells of this erasure: then the person is known anew, or has gone with a file just now."""
    person, within = gone["_id"], gone.get("within")
    told = {"subject": within or person, "type": ErasureCompleted.TYPE, "recorded": {"$gte": gone["at"]}}
    records = await ledger.database["journal"].find(told, {"event": 1}).to_list()
    erasures = [ErasureCompleted.model_validate(orjson.loads(one["event"])["data"]) for one in records]
    return any(one.contact_id in (None, person) for one in erasures)
