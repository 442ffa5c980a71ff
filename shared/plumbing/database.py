"""The one seam where the MongoDB client is opened (decision: PyMongo Async, not Motor)."""

from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]
Collection = AsyncCollection[Document]
Session = AsyncClientSession

MAJORITY = WriteConcern("majority", j=True)
SNAPSHOT = ReadConcern("snapshot")


def open_client(address: str, name: str = "manyi") -> Client:
    """A client bound to the running loop: majority writes with journal, times as aware UTC datetimes.

    The server knows its connections by `name` (see `abandoned.end_former`).

    The address should name a replica set without `directConnection`: over a direct one commands are sent to a node on
    its way up too, and a connection opened then stays one without sessions, that is without snapshots and transactions.
    """
    return AsyncMongoClient(
        address,
        tz_aware=True,
        w="majority",
        journal=True,
        retryWrites=True,
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=5_000,
        timeoutMS=None,
        appname=name,
    )
