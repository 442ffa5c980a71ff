"""Forget once more whom an older backup brought back (PIPL 47): the key is gone, the file does not know it yet.

What was sealed stays unreadable without this. But tags to search by and what is known of an organisation stand open in
a file, and reporting and the survey service go by what the journal says.
"""

import uuid
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta
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
DONE = "erased-again"
"""The mark: all who were erased before its `since` are known here to be. An older backup brings back an older one."""
OVERLAP = timedelta(days=1)
"""Taken off the mark, since clocks differ and an erasure is recorded a while after it has been decided."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
UNTOUCHED: Mapping[str, Mapping[str, Any]] = {
    "customers": {"erased_at": None},
    "contacts": {"sealed": {"$exists": True}},
}
"""Where persons are kept, and what their documents are like while nobody has erased them, or they are known anew."""


async def erase_again(ledger: Ledger) -> None:
    """Erase everybody whose key was destroyed and of whose erasure the journal does not tell; safe to repeat.

    Looks no further back than the mark of the last time, and sets it unless somebody must be erased by hand.

    Raises Stale after too many lost races.
    """
    marks, begun = ledger.database["marks"], ledger.clock.now()
    done = await marks.find_one({"_id": DONE}) or {"since": NEVER}
    back: dict[str, Document] = {}
    async for destroyed in ledger.keyring.destroyed(done["since"], LOOKED_FOR_AT_ONCE):
        untouched = await _untouched(ledger, [one["_id"] for one in destroyed])
        back |= {one["_id"]: one for one in destroyed if one["_id"] in untouched}
    # A file before the people in it: they go with it.
    gone = sorted(back.values(), key=lambda one: "within" in one)
    if all([await _erased(ledger, one, back) for one in gone]):
        await marks.update_one({"_id": DONE}, {"$max": {"since": begun - OVERLAP}}, upsert=True)


async def _erased(ledger: Ledger, gone: Document, back: Container[str]) -> bool:
    """Erase one of those who are back, unless it is known; answers False where that takes somebody. Raises Stale."""
    if await _is_known(ledger, gone):
        return True
    person, within = gone["_id"], gone.get("within")
    files = [within] if within else [one for one in await files_of(ledger, person) if one in back]
    tasks = forgetting(files, person if within else None, uuid.uuid4().hex, [])
    try:
        await perform(ledger, tasks, Cause("restore"))
    except CustomerErased:  # by another process that starts just now
        return True
    except MergedMeanwhile as refusal:
        log.critical("a person whom a backup brought back must be erased by hand", file=person, why=str(refusal))
        return False
    log.warning("a person whom a backup brought back is erased again", files=files)
    return True


async def _untouched(ledger: Ledger, persons: Sequence[str]) -> set[str]:
    """Those of whom something is here as if nobody had erased them."""
    found: set[str] = set()
    for collection, untouched in UNTOUCHED.items():
        wanted = {"_id": {"$in": persons}, **untouched}
        found |= {one["_id"] async for one in ledger.database[collection].find(wanted, {"_id": 1})}
    return found


async def _is_known(ledger: Ledger, gone: Document) -> bool:
    """Whether the journal tells of this erasure: then the person is known anew, or has gone with a file just now."""
    person, within = gone["_id"], gone.get("within")
    told = {"subject": within or person, "type": ErasureCompleted.TYPE, "recorded": {"$gte": gone["at"]}}
    records = await ledger.database["journal"].find(told, {"event": 1}).to_list()
    erasures = [ErasureCompleted.model_validate(orjson.loads(one["event"])["data"]) for one in records]
    return any(one.contact_id in (None, person) for one in erasures)
