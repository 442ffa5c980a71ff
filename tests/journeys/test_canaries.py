"""What is personal stays where it belongs: through every entrance, and then on no topic, in no log, number or letter.

Bodies come from the services' own OpenAPI documents and intake models, so that an entrance that is added is tried too.
"""

import json
from pathlib import Path
from typing import Any

import bson
import httpx
import pytest
from pymongo import AsyncMongoClient

from deploy.local.system import System
from shared.contracts.catalogue import SPEAKERS
from tests.support.canaries import MARK, NAMED, TRACES, Forms, operations
from tests.support.data_dictionary import INTAKE, PAGE
from tests.support.eventually import eventually
from tests.support.topics import read_all, write

pytestmark = pytest.mark.stack
NOT_ASKED = ("/v1/stream", "/erasure", "/metrics")
"""Endless; what would take the canaries away again; what is looked at in the end."""
OPEN = ("/v1/segments", "/v1/questionnaires", "/v1/campaigns")
"""What our own people name or ask openly: no person is meant by it."""
ANSWERS = [
    {"question": "q", "metric": "csat", "scale": [1, 5], "value": 4},
    {"question": "why", "comment": f"{MARK} 13877319731"},
]
"""A schema cannot tell which fields of an answer go together."""
DICTIONARY = PAGE.read_text(encoding="utf-8")
PERSON = {"name": f"王{MARK}", "phone": NAMED["phone"], "email": NAMED["email"], "address": f"{MARK}路1号"}


def told(service: str) -> list[dict[str, Any]]:
    """Each intake event of a service twice: as it should be, and with a field too many."""
    events = []
    for model in INTAKE[service]:
        schema = model.model_json_schema(by_alias=True)
        body = Forms(schema.get("$defs", {}), {"customer": f"{MARK}-customer"}, every_field=False).filled(schema)
        if "answers" in body:
            body["answers"] = ANSWERS
        for name, data in (("good", body), ("bad", {**body, "surplus": f"{MARK} 13877319731"})):
            event = {"specversion": "1.0", "id": f"{name}-{model.TYPE}", "source": "shop", "type": model.TYPE}
            events.append({**event, "time": "2026-03-01T10:00:00Z", "data": data})
    return events


async def through_intake(system: System, client: httpx.AsyncClient, service: str) -> None:
    """Over the topic and over HTTP, with what nobody can read as well."""
    topic = f"manyi-{service}-intake"
    events = told(service)
    poison = [(MARK.encode(), f'{{"name": "{MARK}"'.encode()), (None, json.dumps({"phone": NAMED["phone"]}).encode())]
    await write(system.kafka, topic, [*poison, *((MARK.encode(), event) for event in events)])
    batch = [{**event, "source": "desk"} for event in events]
    media = {"content-type": "application/cloudevents-batch+json"}
    answer = await client.post(f"{system.services[service]}/v1/intake", json=batch, headers=media)
    assert answer.status_code == 200, answer.text
    outcomes = {one["id"]: one["outcome"] for one in answer.json()["receipts"]}
    for event in batch:
        if event["id"].startswith("bad"):
            assert outcomes[event["id"]] == "rejected"
    assert {"accepted", "rejected"} <= set(outcomes.values()), answer.text

    async def taken() -> bool:
        totals = await client.get(f"{system.services[service]}/v1/intake/receipts", params={"source": "shop"})
        return int(totals.json()["processed"]) >= len(events) // 2

    await eventually(taken, timeout=60)


async def through_http(client: httpx.AsyncClient, urls: dict[str, str]) -> dict[str, int]:
    """Every operation of every service, with what names something real where it is known; answers each one's status."""
    opened = await client.post(
        f"{urls['customer']}/v1/customers",
        json={**PERSON, "company": "c", "needs": MARK, "lawfulBasis": "contract"},
    )
    assert opened.status_code == 201, opened.text
    customer_id = opened.json()["customerId"]
    known = {"customerId": customer_id, "customer_id": customer_id, "lawfulBasis": "contract", "kind": "direct"}
    contact = await client.post(
        f"{urls['customer']}/v1/customers/{customer_id}/contacts",
        json={**PERSON, "phone": "13977319731"} | {"post": MARK},
    )
    known["contact_id"] = known["contactId"] = contact.json().get("contactId", "none")
    case = await client.post(f"{urls['feedback']}/v1/cases", json={"customerId": customer_id, "text": MARK})
    known["case_id"] = case.json()["caseId"]
    statuses: dict[str, int] = {}
    for service in SPEAKERS:
        document = (await client.get(f"{urls[service]}/openapi.json")).json()
        for method, place, body, query in operations(document, known):
            if not place.endswith(NOT_ASKED) and not place.startswith(OPEN):
                answer = await client.request(method, f"{urls[service]}{place}", json=body, params=query)
                assert answer.status_code != 500, (method, place, answer.text)
                statuses[f"{method} {place}"] = answer.status_code
    return statuses


async def through_a_table(client: httpx.AsyncClient, url: str) -> None:
    """A row of a CSV."""
    row = f"编号,姓名,手机\n{MARK}-9,张{MARK},13977319732\n"
    kept = await client.post(url, content=row.encode(), headers={"content-type": "application/octet-stream"})
    assert kept.status_code == 201, kept.text
    job = f"{url}/{kept.json()['importId']}"
    columns = {"编号": "externalId", "姓名": "name", "手机": "phone"}
    reading = {"columns": columns, "constants": {"lawfulBasis": "contract"}, "source": "legacy"}
    begun = await client.post(f"{job}/runs", json=reading)
    assert begun.status_code == 202, begun.text

    async def done() -> bool:
        found = (await client.get(job)).json()
        assert found["state"] != "failed", found
        return bool(found["state"] == "done")

    await eventually(done, timeout=60)


@pytest.mark.policy("S0-36")
async def test_canaries_through_every_entrance_are_found_nowhere_else(system: System) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        for service in INTAKE:
            await through_intake(system, client, service)
        await through_a_table(client, f"{system.services['customer']}/v1/imports")
        answers = await through_http(client, system.services)
        took = [one for one, status in answers.items() if status < 300 and not one.startswith("GET")]
        assert len(took) >= 12, f"too few requests were taken for this to say something: {answers}"

        async def quiet() -> bool:
            found = [(await client.get(f"{url}/v1/health")).json() for url in system.services.values()]
            return all(lag == 0 for health in found for lag in health["lag"].values())

        await eventually(quiet, timeout=60)
        seen: dict[str, bytes] = {}
        for service, url in system.services.items():
            for place in ("/metrics", "/v1/dead-letters?limit=200", "/v1/health", "/v1/audit?limit=200"):
                seen[f"{service}{place}"] = (await client.get(f"{url}{place}")).content
    for topic in [f"{one}-events" for one in SPEAKERS] + ["dead-letters", "watermarks"]:
        records = await read_all(system.kafka, f"manyi-{topic}")
        seen[topic] = b"".join((one.key or b"") + (one.value or b"") + repr(one.headers).encode() for one in records)
        assert records or topic == "reporting-events"
    for log in sorted((Path(system.data_dir) / "logs").glob("*.log")):
        seen[log.name] = log.read_bytes()
    async with AsyncMongoClient[dict[str, Any]](system.mongo) as mongo:
        for database in await mongo.list_database_names():
            if database.startswith("manyi-"):
                for collection in await mongo[database].list_collection_names():
                    known = (
                        database == "manyi-reporting"
                        or f"`{collection}`" in DICTIONARY
                        or f"### {collection}" in DICTIONARY
                    )
                    assert known, f"{database}.{collection} is not in docs/data-dictionary.md"
                    documents = await mongo[database][collection].find().to_list()
                    seen[f"{database}.{collection}"] = b"".join(bson.encode(one) for one in documents)
    assert len(seen) > 40
    assert b"manyi.complaint.opened.v1" in seen["feedback-events"]
    sent = b"".join((one.value or b"") for one in await read_all(system.kafka, "manyi-customer-intake"))
    assert all(trace in sent for trace in TRACES), "the canaries were never there"
    leaks = [(place, around(trace, content)) for place, content in seen.items() for trace in TRACES if trace in content]
    assert not leaks, "\n".join(f"{place}: {content!r}" for place, content in leaks)


def around(trace: bytes, content: bytes) -> bytes:
    """Where it stands."""
    at = content.index(trace)
    return content[max(0, at - 150) : at + 80]
