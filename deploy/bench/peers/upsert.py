"""By hand: each event upserted by its id, in bulks, committed after the write; safe on redelivery. No aggregates."""

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer
from pymongo import AsyncMongoClient, ReplaceOne

from deploy.bench.peers.shelf import BATCH, COLLECTION, DATABASE, GROUP, KAFKA, MEMBER, MONGO, TOPIC, document


async def main() -> None:
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(MONGO, w="majority", journal=True)
    collection = client[DATABASE][COLLECTION]
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=KAFKA,
        group_id=GROUP,
        group_instance_id=MEMBER,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=2 * 1024 * 1024,
    )
    await consumer.start()
    while True:
        polled = await consumer.getmany(timeout_ms=100, max_records=BATCH)
        documents = [document(orjson.loads(record.value)) for records in polled.values() for record in records]
        if documents:
            await collection.bulk_write(
                [ReplaceOne({"_id": found["_id"]}, found, upsert=True) for found in documents], ordered=False
            )
            await consumer.commit()


uvloop.run(main())
