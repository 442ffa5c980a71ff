"""Consents over HTTP and on the topic: given, withdrawn, listed without names, and gone with the person."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.customer.main import build
from tests.support.customers import wang
from tests.support.eventually import eventually
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack
from tests.support.topics import read_all

pytestmark = pytest.mark.stack
EVIDENCE = "签字表7319"


@pytest.fixture
async def customer(stack: RealStack, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(build, settings_for(stack, namespace, tmp_path)) as service:
        yield service


@pytest.mark.policy("S2-02", "S2-14")
async def test_whoever_sends_hears_at_once_what_a_person_takes_back(customer: Running, namespace: Namespace) -> None:
    opened = (await customer.client.post("/v1/customers", json=wang(channel="website"))).json()
    path = f"/v1/customers/{opened['customerId']}"
    person = {"name": "李敏", "lawfulBasis": "consent"}
    contact = (await customer.client.post(f"{path}/contacts", json=person)).json()["contactId"]
    said = {"contactId": contact, "purposes": ["survey", "marketing"], "textVersion": "n1", "evidence": EVIDENCE}
    given = await customer.client.post(f"{path}/consents", json=said)
    assert given.status_code == 201, given.text
    found = {one["purpose"]: one for one in given.json()["purposes"]}
    assert (found["marketing"]["maySend"], found["marketing"]["because"]) == (True, "given")
    assert (found["sharing"]["maySend"], found["sharing"]["because"]) == (False, "needs_consent")
    unproven = await customer.client.post(f"{path}/consents", json={**said, "evidence": None})
    assert (unproven.status_code, unproven.json()["type"]) == (422, "/problems/consent-unproven")

    key = {"Idempotency-Key": "stop"}
    stop = {"contactId": contact, "purposes": ["marketing"], "channel": "phone"}
    for _ in range(2):
        stopped = await customer.client.post(f"{path}/consents/withdrawals", json=stop, headers=key)
        assert stopped.status_code == 200, stopped.text
    listed = (await customer.client.get("/v1/consents/withdrawn", params={"purpose": "marketing"})).json()
    assert listed == {"purpose": "marketing", "persons": [contact]}
    assert (await customer.client.get("/v1/consents/withdrawn", params={"purpose": "x"})).status_code == 422
    ledger = {one["personId"]: one for one in (await customer.client.get(f"{path}/consents")).json()}
    assert set(ledger) == {opened["customerId"], contact}
    acts = {one["purpose"]: one for one in ledger[contact]["purposes"]}
    assert [one["act"] for one in acts["marketing"]["acts"]] == ["given", "withdrawn"]
    assert acts["survey"]["evidence"] == EVIDENCE

    async def told() -> bool:
        records = await read_all(customer.service.settings.kafka, f"{namespace.topic_prefix}customer-events")
        events = [json.loads(record.value or b"{}") for record in records]
        heard = [one["data"] for one in events if one["type"] == "manyi.customer.consent.withdrawn.v1"]
        assert EVIDENCE not in str(events)
        return [(one["personId"], one["purposes"]) for one in heard] == [(contact, ["marketing"])]

    await eventually(told, timeout=30)
    erased = await customer.client.post(f"{path}/contacts/{contact}/erasure")
    assert erased.status_code == 200, erased.text
    assert EVIDENCE not in (await customer.client.get(f"{path}/consents")).text
    assert (await customer.client.get("/v1/consents/withdrawn", params={"purpose": "marketing"})).json() == listed


@pytest.mark.policy("S2-14")
async def test_every_file_says_where_it_comes_from_and_on_what_basis_it_is_kept(customer: Running) -> None:
    unknown = await customer.client.post("/v1/customers", json=wang(channel="hearsay"))
    assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/customer-field-malformed")
    event = {"specversion": "1.0", "id": "1", "source": "shop", "type": "contact.registered"}
    body = {**event, "data": {"customer": "k", "contact": "x", "name": "李敏", "phone": "13900139000"}}
    answer = await customer.client.post(
        "/v1/intake", json=body, headers={"content-type": "application/cloudevents+json"}
    )
    assert answer.json()["receipts"][0]["outcome"] == "accepted", answer.text
    found = (await customer.client.get("/v1/customers/by-external-id", params={"source": "shop", "id": "k"})).json()
    assert (found["lawfulBasis"], found["dims"]) == ("contract", {})
    (contact,) = (await customer.client.get(f"/v1/customers/{found['customerId']}/contacts")).json()
    assert contact["lawfulBasis"] == "contract"
