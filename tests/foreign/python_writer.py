"""A foreign system in Python: writes CloudEvents to a Kafka topic with confluent-kafka and plain JSON alone.

    echo '{"id": …, "source": …, "type": …, "data": {…}}' | python python_writer.py --kafka HOST:PORT --topic TOPIC

One event as JSON per line of standard input. The extension attribute `partitionkey`, if there is one, becomes the
record's key (Kafka protocol binding for CloudEvents 1.0.2, §3.1). Exit status 1 when Kafka did not take an event.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any

from confluent_kafka import Producer

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
MODES = ("structured", "binary")
Headers = list[tuple[str, str | bytes | None]]
Record = tuple[bytes | None, bytes, Headers]


def structured(event: dict[str, Any]) -> Record:
    """The whole event is the value."""
    value = json.dumps({"specversion": "1.0", **event}).encode()
    return key_of(event), value, [("content-type", b"application/cloudevents+json; charset=UTF-8")]


def binary(event: dict[str, Any]) -> Record:
    """The data are the value; every other attribute is a header `ce_…`, the data's media type `content-type`."""
    attributes = {"specversion": "1.0", **event}
    value = json.dumps(attributes.pop("data")).encode()
    media_type = attributes.pop("datacontenttype", "application/json")
    headers: Headers = [(f"ce_{name}", str(text).encode()) for name, text in attributes.items()]
    return key_of(event), value, [("content-type", media_type.encode()), *headers]


def key_of(event: dict[str, Any]) -> bytes | None:
    return event["partitionkey"].encode() if "partitionkey" in event else None


def write(kafka: str, topic: str, events: Iterable[dict[str, Any]], mode: str, compression: str) -> list[str]:
    """Produce the events; the result lists the failures that Kafka reported."""
    failures: list[str] = []

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            failures.append(error.str())

    producer = Producer({"bootstrap.servers": kafka, "compression.type": compression, "linger.ms": 20})
    for event in events:
        key, value, headers = (structured if mode == "structured" else binary)(event)
        producer.produce(topic, value, key, headers=headers, on_delivery=delivered)
        producer.poll(0)
    if left := producer.flush(30):
        failures.append(f"{left} events without acknowledgement after 30 s")
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description="Write CloudEvents from standard input to Kafka")
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--mode", choices=MODES, default="structured")
    parser.add_argument("--compression", choices=CODECS, default="none")
    asked = parser.parse_args()
    events = (json.loads(line) for line in sys.stdin if line.strip())
    failures = write(asked.kafka, asked.topic, events, asked.mode, asked.compression)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
