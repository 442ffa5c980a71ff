"""All that a generation counted, to the byte, so that two of them can be held against each other."""

import re
from collections import Counter
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.database import AsyncDatabase

from shared.plumbing.slips import posted
from shared.plumbing.store_documents import slip_of

SHARD_IN_KEY = {"cells": 3, "dated": 4}


async def contents(database: AsyncDatabase[dict[str, Any]], prefix: str) -> dict[str, dict[bytes, bytes]]:
    """Facts, guards and changes as they are stored; cells and dated cells in canonical form.

    Batches decide in which shard a sum stands and in which order sums come, and what came to nothing stays behind as
    a 0: canonical are the sums over all shards and what stands on slips, sorted, without those that are 0, and a cell
    without any is none.
    """
    found: dict[str, dict[bytes, bytes]] = {}
    slips = [slip_of(document).added async for document in database[f"{prefix}.slips"].find({})]
    standing = {
        part: {key: {f".{path}": sum_ for path, sum_ in sums.items()} for key, sums in cells.items()}
        for part, cells in zip(SHARD_IN_KEY, posted(slips, "slips"), strict=True)
    }
    options = database.codec_options.with_options(document_class=RawBSONDocument)
    for name in sorted(
        await database.list_collection_names(filter={"name": {"$regex": rf"^{re.escape(prefix)}\.[a-z]"}})
    ):
        part = name.removeprefix(f"{prefix}.")
        if part in ("cursors", "slips"):
            continue
        rows: list[Any] = await database.get_collection(name, codec_options=options).find({}).to_list()
        if part in ("cells", "dated"):
            place = SHARD_IN_KEY[part]
            cells: dict[str, Counter[str]] = {}
            stored = [(row["_id"], _sums("", bson.decode(row.raw))) for row in rows]
            for cell, counted in (*stored, *standing[part].items()):
                key = cell.split("|", place + 1)
                cells.setdefault("|".join(key[:place] + key[place + 1 :]), Counter()).update(counted)
            shown = {key: sorted((path, sum_) for path, sum_ in sums.items() if sum_) for key, sums in cells.items()}
            found[part] = {key.encode(): repr(sums).encode() for key, sums in shown.items() if sums}
        else:
            found[part] = {bson.encode({"_id": row["_id"]}): row.raw for row in rows}
    return found


def _sums(path: str, below: dict[str, Any]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, value in below.items():
        if isinstance(value, dict):
            sums |= _sums(f"{path}.{name}", value)
        elif name != "_id":
            sums[f"{path}.{name}"] = int(value)
    return sums
