"""Events as a service's relay would put them on its topic, with ids and gap-free revisions of their subjects."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from aiokafka import ConsumerRecord, TopicPartition

from shared.contracts.envelope import Event, moment_text

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@dataclass
class Teller:
    """Says events about subjects; each subject's key is itself."""

    zone: str | None = None
    revisions: Counter[str] = field(default_factory=Counter)

    def tell(
        self,
        subject: str,
        said: Event,
        *,
        time: datetime = NOON,
        recorded: datetime | None = None,
        revision: int | None = None,
        event: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """The envelope of one event; `revision` is the subject's next unless given."""
        if revision is None:
            self.revisions[subject] += 1
            revision = self.revisions[subject]
        envelope = {
            "specversion": "1.0",
            "id": event or f"{subject}-{revision}",
            "source": "manyi/test",
            "type": type(said).TYPE,
            "subject": subject,
            "time": moment_text(time),
            "recordedtime": moment_text(recorded or time),
            "partitionkey": subject,
            "revision": revision,
            "data": said.model_dump(mode="json", by_alias=True),
            **more,
        }
        return envelope | ({"timezone": self.zone} if self.zone else {})


def letter(
    place: TopicPartition, offset: int, content: dict[str, Any] | bytes | None, key: bytes | None = None
) -> "ConsumerRecord[bytes | None, bytes | None]":
    """A record as the consumer hands it over."""
    value = orjson.dumps(content) if isinstance(content, dict) else content
    if key is None and isinstance(content, dict):
        key = str(content.get("partitionkey")).encode()
    return ConsumerRecord(
        place.topic, place.partition, offset, 0, 0, key, value, None, len(key or b""), len(value or b""), ()
    )
