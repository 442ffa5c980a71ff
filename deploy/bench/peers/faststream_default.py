"""FastStream as its tutorial shows it: a typed handler, one event at a time, one write each. No aggregates."""

from typing import Any

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from pydantic import BaseModel
from pymongo import AsyncMongoClient

from deploy.bench.peers.shelf import COLLECTION, DATABASE, GROUP, KAFKA, MONGO, TOPIC, document


class Responded(BaseModel):
    """An event as the handler is given it."""

    id: str
    type: str
    subject: str
    revision: int
    time: str
    recordedtime: str
    data: dict[str, Any]


broker = KafkaBroker(KAFKA, logger=None)
app = FastStream(broker)
client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(MONGO, w="majority", journal=True)


@broker.subscriber(TOPIC, group_id=GROUP, auto_offset_reset="earliest", ack_policy=AckPolicy.ACK)
async def keep(event: Responded) -> None:
    found = document(event.model_dump())
    await client[DATABASE][COLLECTION].replace_one({"_id": found["_id"]}, found, upsert=True)


uvloop.run(app.run())
