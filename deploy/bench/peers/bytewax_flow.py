"""Bytewax as its guide shows it: Kafka in, a map, and a sink of our own, since it has none for MongoDB.

`insert` is its best and breaks on redelivery; `replace` is safe, as its recovery is at least once. No aggregates.
It keeps its offsets itself, in the recovery store that its guide wants for whatever may crash.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from pymongo import MongoClient, ReplaceOne

from deploy.bench.peers.shelf import (
    BATCH,
    COLLECTION,
    COMMIT_S,
    DATABASE,
    GROUP,
    KAFKA,
    MONGO,
    PARTITIONS,
    STATE,
    TOPIC,
    document,
)

INSERT = os.environ.get("BENCH_WRITE") == "insert"


class Writer(StatelessSinkPartition[dict[str, Any]]):  # type: ignore[misc]
    """Writes what comes in one piece in one bulk."""

    def __init__(self) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(MONGO, w="majority", journal=True)
        self._collection = client[DATABASE][COLLECTION]

    def write_batch(self, items: list[dict[str, Any]]) -> None:
        if INSERT:
            self._collection.insert_many(items, ordered=False)
        else:
            self._collection.bulk_write(
                [ReplaceOne({"_id": item["_id"]}, item, upsert=True) for item in items], ordered=False
            )


class Shelf(DynamicSink[dict[str, Any]]):  # type: ignore[misc]
    """One writer for each worker."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Writer:
        return Writer()


flow = Dataflow("responses")
# What all partitions hand over in one turn is written in one bulk, so each hands over its part of one.
heard = kafka.input(
    "kafka", flow, brokers=[KAFKA], topics=[TOPIC], batch_size=BATCH // PARTITIONS, add_config={"group.id": GROUP}
)
documents = op.map("document", heard.oks, lambda message: document(orjson.loads(message.value)))
op.output("mongo", documents, Shelf())
if not any(Path(STATE).iterdir()):
    init_db_dir(Path(STATE), 1)
cli_main(flow, epoch_interval=timedelta(seconds=COMMIT_S), recovery_config=RecoveryConfig(STATE))
