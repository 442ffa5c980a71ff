"""A table of customers leaves for a purpose: whom it does not cover is left out and counted, and the audit tells."""

import csv
import io
import json

import httpx
import pytest

from tests.support.customers import wang
from tests.support.issuer import Issuer
from tests.support.service import Running

pytestmark = pytest.mark.stack
EVERYBODY = {"field": "kind", "known": True}
AGREED = {"purposes": ["sharing"], "textVersion": "n1", "evidence": "签字表"}


def names(table: httpx.Response) -> set[str]:
    assert table.status_code == 200, table.text
    return {row["company"] for row in csv.DictReader(io.StringIO(table.text.removeprefix("\ufeff")))}


def said(table: httpx.Response) -> tuple[str | None, ...]:
    told = ("Manyi-Purpose", "Manyi-Left-Out", "Manyi-Left-Out-Because")
    return tuple(table.headers.get(name) for name in told)


@pytest.mark.policy("S2-02")
async def test_a_table_leaves_out_who_must_not_be_told_of_for_its_purpose(customer: Running, issuer: Issuer) -> None:
    client, director = customer.client, issuer.bearer("u-9", "director")
    crm = issuer.bearer("crm", "system", topics=["customer-intake"])
    ids = {}
    for number, company in enumerate(("silent", "agrees", "takes it back")):
        body = wang(company=company, name=f"客户{number}", phone=f"1380000000{number}", channel="website")
        ids[company] = (await client.post("/v1/customers", json=body, headers=director)).json()["customerId"]
    event = {"specversion": "1.0", "id": "1", "source": "crm", "type": "customer.registered"}
    heard = await client.post(
        "/v1/intake",
        content=json.dumps({**event, "data": {"customer": "o", "company": "names nobody"}}),
        headers={**crm, "content-type": "application/cloudevents+json"},
    )
    assert heard.json()["receipts"][0]["outcome"] == "accepted", heard.text
    for company in ("agrees", "takes it back"):
        path = f"/v1/customers/{ids[company]}/consents"
        assert (await client.post(path, json=AGREED, headers=director)).status_code == 201
    stopped = await client.post(f"{path}/withdrawals", json={"purposes": ["sharing"]}, headers=director)
    assert stopped.status_code == 200, stopped.text

    segment = await client.post("/v1/segments", json={"name": "全部", "rule": EVERYBODY}, headers=director)
    assert segment.status_code == 201, segment.text
    for place in ("/v1/customers/export", f"/v1/segments/{segment.json()['segmentId']}/export"):
        shared = await client.get(place, headers=director)
        assert names(shared) == {"agrees", "names nobody"}
        assert said(shared) == ("sharing", "2", "needs_consent=1, withdrawn=1")
        at_home = await client.get(place, params={"purpose": "service"}, headers=director)
        assert names(at_home) == {"silent", "agrees", "takes it back", "names nobody"}
        assert said(at_home) == ("service", "0", None)
        unknown = await client.get(place, params={"purpose": "curiosity"}, headers=director)
        assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/purpose-unknown")

    told = (await client.get("/v1/audit", params={"object": ids["silent"]}, headers=director)).json()
    assert {one.get("purpose") for one in told if one.get("action") == "customer.export"} == {"service"}
