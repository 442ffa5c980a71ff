"""The same command as a newcomer writes it: FastAPI, a pydantic body, one majority `insert_one`. No event leaves it."""

import os
import uuid
from datetime import UTC, datetime
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from pymongo import AsyncMongoClient

from deploy.bench.peers.shelf import COLLECTION, DATABASE, MONGO

app = FastAPI()
client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(MONGO, w="majority", journal=True)
cases = client[DATABASE][COLLECTION]


class Case(BaseModel):
    """The fields that the load sends."""

    kind: str
    customer: dict[str, str]
    channel: str
    category: str
    severity: str
    text: str


@app.get("/readyz")
async def ready() -> dict[str, bool]:
    """As our services answer it."""
    return {"ready": True}


@app.post("/v1/cases", status_code=201)
async def open_case(body: Case) -> dict[str, Any]:
    """Store it and answer it."""
    document = {"_id": uuid.uuid4().hex, "openedAt": datetime.now(UTC), **body.model_dump()}
    await cases.insert_one(document)
    return document


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), log_config=None, access_log=False, loop="uvloop")
