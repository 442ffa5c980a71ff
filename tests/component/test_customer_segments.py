"""Segments over HTTP: tried out, saved, listed, exported without formulas, each within its reader's rights."""

from typing import Any

import pytest

from tests.support.customers import wang
from tests.support.issuer import Issuer
from tests.support.service import Running

pytestmark = pytest.mark.stack
EAST = {"all": [{"field": "region", "in": ["east"]}, {"not": {"field": "size", "known": False}}]}


@pytest.mark.policy("S2-06", "S2-16")
async def test_a_segment_is_tried_saved_listed_and_exported(customer: Running, issuer: Issuer) -> None:
    director, marketing = issuer.bearer("u-9", "director"), issuer.bearer("u-8", "marketing")
    specialist = issuer.bearer("u-1", "specialist")
    files: list[dict[str, Any]] = [
        {"company": "=HYPERLINK(1)", "region": "east", "size": "large", "ownerId": "u-1"},
        {"company": "乙公司", "region": "east", "size": "small", "ownerId": "u-2"},
        {"company": "丙公司", "region": "east"},
        {"company": "丁公司", "region": "west", "size": "large"},
    ]
    for number, one in enumerate(files):
        body = wang(**one, name=f"客户{number}", phone=f"1380000000{number}")
        opened = await customer.client.post("/v1/customers", json=body, headers=director)
        assert opened.status_code == 201, opened.text

    tried = await customer.client.post("/v1/segments/preview", json={"rule": EAST}, headers=marketing)
    assert tried.json() == {"customers": 2}
    wrong = {"rule": {"field": "phone", "in": ["1"]}}
    refused = await customer.client.post("/v1/segments/preview", json=wrong, headers=marketing)
    assert refused.status_code == 422
    assert "there is no field 'phone'" in refused.text
    body = {"name": "华东", "rule": EAST}
    saved = await customer.client.post("/v1/segments", json=body, headers=marketing)
    assert saved.status_code == 201, saved.text
    assert (saved.json()["rule"], saved.json()["edition"]) == (EAST, 1)
    place = f"/v1/segments/{saved.json()['segmentId']}"
    assert (await customer.client.get(place, headers=specialist)).json()["customers"] == 2

    async def members(who: dict[str, str]) -> list[str]:
        found = (await customer.client.get(f"{place}/members", headers=who)).json()["customers"]
        return sorted(str(one.get("name")) for one in found)

    assert await members(director) == ["客户0", "客户1"]
    assert await members(specialist) == ["客户0"], "their own alone"
    assert await members(marketing) == ["None", "None"], "no personal field"
    first = (await customer.client.get(f"{place}/members", params={"limit": 1}, headers=director)).json()
    rest = await customer.client.get(f"{place}/members", params={"after": first["next"]}, headers=director)
    assert len(rest.json()["customers"]) == 1

    table = await customer.client.get(f"{place}/export", params={"purpose": "service"}, headers=director)
    assert "'=HYPERLINK(1)" in table.text
    assert len(table.text.splitlines()) == 3
    for who in (marketing, specialist):
        assert (await customer.client.get(f"{place}/export", headers=who)).status_code == 403

    west = {"name": "华西", "rule": {"field": "region", "in": ["west"]}}
    changed = await customer.client.put(place, json=west, headers=marketing)
    assert (changed.json()["edition"], changed.json()["name"]) == (2, "华西")
    assert (await customer.client.put(place, json=west, headers=specialist)).status_code == 403
    assert [one["name"] for one in (await customer.client.get("/v1/segments", headers=specialist)).json()] == ["华西"]
    assert (await customer.client.post(f"{place}/drop", headers=marketing)).json()["dropped"] is True
    gone = await customer.client.get(f"{place}/members", headers=director)
    assert (gone.status_code, gone.json()["type"]) == (404, "/problems/segment-unknown")
