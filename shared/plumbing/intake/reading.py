"""From bytes to a task: what a foreign event is, and whether it is understood here."""

from collections.abc import Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from shared.contracts.decision import Invalid, Refusal
from shared.plumbing.cloudevents import Malformed, problems_of, read_kafka, read_structured
from shared.plumbing.database import Document
from shared.plumbing.identity import Identity
from shared.plumbing.intake.items import Heard, Item, Understood

LONGEST_SOURCE = 200
"""Characters of a source: it becomes a dimension of every fact."""


class Reader:
    """Reads and understands what one service takes in."""

    def __init__(self, identity: Identity, understood: Sequence[Understood]) -> None:
        self._identity = identity
        self._understood = {item.data.TYPE: item for item in understood}

    def name_of(self, item: Item) -> str:
        """Its type where that is understood here: under such names events are counted."""
        return item.type if item.type in self._understood else "unknown"

    def read(self, item: Item) -> Item:
        """What came from a topic."""
        try:
            item.event = read_kafka(item.headers, item.raw)
        except Malformed as error:
            item.outcome, item.reason = "rejected", str(error)
            return item
        return self.understand(item)

    def understand(self, item: Item) -> Item:
        """The task of an event; without one it says why."""
        event = item.event
        if event is None:
            raise ValueError("nothing to understand")
        # Keyed, since it travels as causation id: a foreign id may be a phone number that could be guessed back.
        item.receipt_id = self._identity.of("receipt", event.source, event.id)
        if len(event.source) > LONGEST_SOURCE:
            item.outcome, item.reason = "rejected", f"source: at most {LONGEST_SOURCE} characters"
            return item
        understood = self._understood.get(event.type)
        if understood is None:
            known = ", ".join(sorted(self._understood))
            item.outcome, item.reason = "rejected", f"unknown type {event.type[:100]!r}; understood here: {known}"
            return item
        try:
            data = understood.data.model_validate(event.data)
            if event.timezone is not None and not _is_zone(event.timezone):
                raise Invalid("timezone: there is no such time zone; send an IANA name such as Asia/Shanghai")
            item.task = understood.task(Heard(event.source, event.time or item.arrived, event.timezone, data))
        except ValidationError as error:
            item.outcome, item.reason = "rejected", f"data: {problems_of(error)}"
        except Refusal as refusal:
            item.outcome, item.reason = "rejected", str(refusal)
        else:
            if understood.data.IDENTITY:
                values = [str(getattr(data, name)) for name in understood.data.IDENTITY]
                item.identity = self._identity.of("fact", event.source, "\x1f".join((event.type, *values)))
        return item

    def awakened(self, document: Document, raw: bytes) -> Item:
        """What waited, as it was kept."""
        item = Item(document["place"], document["arrived"], raw, event=read_structured(raw), waiting=True)
        item.waited = (document["collection"], document["waits"])
        return self.understand(item)


@lru_cache(maxsize=1_000)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
