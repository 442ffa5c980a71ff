"""Quix Streams 3 as its guide shows it, with its own sink for MongoDB: upserts by id, at least once. No aggregates."""

from urllib.parse import urlsplit

from quixstreams import Application
from quixstreams.sinks.community.mongodb import MongoDBSink

from deploy.bench.peers.shelf import (
    BATCH,
    COLLECTION,
    COMMIT_S,
    DATABASE,
    GROUP,
    KAFKA,
    MEMBER,
    MONGO,
    STATE,
    TOPIC,
    document,
)

address = urlsplit(MONGO)
app = Application(
    broker_address=KAFKA,
    consumer_group=GROUP,
    auto_offset_reset="earliest",
    auto_create_topics=False,
    commit_every=BATCH,
    commit_interval=COMMIT_S,
    consumer_extra_config={"group.instance.id": MEMBER},
    state_dir=STATE,
    loglevel="WARNING",
)
topic = app.topic(TOPIC, key_deserializer="str", value_deserializer="json")
app.dataframe(topic).apply(document).sink(
    MongoDBSink(
        host=address.hostname or "",
        port=address.port or 0,
        db=DATABASE,
        collection=COLLECTION,
        document_matcher=lambda item: {"_id": item.value["_id"]},
        update_method="ReplaceOne",
        directConnection=True,
        w="majority",
        journal=True,
    )
)
app.run()
