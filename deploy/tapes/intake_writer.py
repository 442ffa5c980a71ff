"""Producing to intake as any foreign system would: confluent-kafka, structured CloudEvents, keyed."""

from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from deploy.tapes.errors import TapeError
from deploy.tapes.events import Event

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
_HEADERS = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
_CONNECT_SECONDS = 15
_FLUSH_SECONDS = 120


class IntakeWriter:
    """Writes events to `<prefix><topic>`; leaving the `with` block waits until Kafka has acknowledged all of them.

    Raises TapeError when Kafka does not answer, a topic is missing, or an event was not acknowledged.
    """

    def __init__(self, kafka: str, prefix: str, topics: Iterable[str], compression: str = "lz4") -> None:
        from confluent_kafka import KafkaException, Producer

        self._prefix = prefix
        self._failed: Counter[str] = Counter()
        self._producer: Any = Producer(
            {
                "bootstrap.servers": kafka,
                "client.id": "tape",
                "compression.type": compression,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 20,
                "batch.size": 256 * 1024,
                "queue.buffering.max.messages": 50_000,
                "log_level": 2,  # It retries what passes, and tells each event's end; its own log disturbs the bars.
            }
        )
        try:
            known = self._producer.list_topics(timeout=_CONNECT_SECONDS).topics
        except KafkaException as error:
            raise TapeError(f"no Kafka answers at {kafka}: {error.args[0].str()}") from error
        if missing := [prefix + topic for topic in topics if prefix + topic not in known]:
            raise TapeError(f"Kafka at {kafka} has no topic {', '.join(missing)}; is MANYI_TOPIC_PREFIX right?")

    def send(self, event: Event) -> None:
        """Hand one event to the client; waits while its queue is full."""
        value = event.json()
        while True:
            try:
                self._producer.produce(
                    self._prefix + event.topic,
                    value,
                    event.key.encode(),
                    headers=_HEADERS,
                    on_delivery=self._delivered,
                )
            except BufferError:  # The queue is full: let deliveries happen, then try again.
                self._producer.poll(0.5)
            else:
                self._producer.poll(0)
                return

    def _delivered(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failed[error.str()] += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._producer.purge()
            return
        if left := self._producer.flush(_FLUSH_SECONDS):
            raise TapeError(f"Kafka has not acknowledged {left} events for {_FLUSH_SECONDS} s")
        if self._failed:
            told = ", ".join(f"{reason} ({count} events)" for reason, count in self._failed.most_common(3))
            raise TapeError(f"Kafka did not take everything: {told}")
