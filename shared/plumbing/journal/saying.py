"""From a sentence that a rule decided on to the record of the journal."""

import uuid
from datetime import datetime
from typing import Any

import orjson

from shared.contracts.decision import Invalid, Said
from shared.contracts.envelope import moment_text
from shared.plumbing.database import Document
from shared.plumbing.journal.tasks import Aggregate, Cause, Loaded, S

MAX_EVENT_BYTES = 1_000_000
"""An event as JSON, a little below the 1 MiB of a record with its key and headers."""


class EventTooLarge(Invalid):
    """Recorded, it would hold up the relay for ever: topics take records of 1 MiB."""

    STATUS = 413
    SLUG = "event-too-large"


def note(
    source: str,
    aggregate: Aggregate[S],
    subject: str,
    loaded: Loaded[S],
    said: Said,
    now: datetime,
    cause: Cause,
) -> tuple[Loaded[S], Document]:
    """The state after one sentence, and its journal record without what is private. Raises EventTooLarge."""
    state = aggregate.folded(loaded.state, said.event, said.private, said.time)
    key = loaded.key or aggregate.key(state)
    recorded = now if loaded.recorded is None else max(now, loaded.recorded)
    revision = loaded.version + 1
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": source,
        "type": said.event.TYPE,
        "subject": subject,
        "time": moment_text(said.time),
        "datacontenttype": "application/json",
        "recordedtime": moment_text(recorded),
        "partitionkey": key,
        "revision": revision,
    }
    optional = {
        "timezone": said.timezone,
        "correlationid": cause.correlation,
        "causationid": cause.causation,
        "actor": cause.actor,
        "policyversion": said.policy_version,
        "traceparent": cause.traceparent,
    }
    envelope.update({name: value for name, value in optional.items() if value is not None})
    envelope["data"] = orjson.Fragment(said.event.model_dump_json(by_alias=True, exclude_none=True))
    text = orjson.dumps(envelope)
    if len(text) > MAX_EVENT_BYTES:
        raise EventTooLarge(f"the event would have {len(text)} bytes, at most {MAX_EVENT_BYTES} travel; send less")
    identifier = f"{subject}:{revision}"
    record: Document = {
        "_id": identifier,
        "subject": subject,
        "revision": revision,
        "type": said.event.TYPE,
        "key": key,
        "at": said.time,
        "recorded": recorded,
        "event": text.decode(),
    }
    if cause.right is not None:
        record["link"] = dict(cause.right)
    return Loaded(state, revision, key, recorded), record
