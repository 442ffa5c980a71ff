"""A file as it was: what was recorded by then, and nothing personal of who was forgotten since."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.support.customers import wang
from tests.support.issuer import Issuer
from tests.support.service import Running

pytestmark = pytest.mark.stack
CLOUD = "application/cloudevents+json"


def now() -> str:
    return datetime.now(UTC).isoformat()


@pytest.mark.policy("S3-14")
async def test_a_file_is_read_as_of_a_moment(customer: Running, issuer: Issuer) -> None:
    director, specialist = issuer.bearer("u-9", "director"), issuer.bearer("u-1", "specialist")
    before = now()
    opened = await customer.client.post("/v1/customers", json=wang(region="华东"), headers=director)
    assert opened.status_code == 201, opened.text
    path = f"/v1/customers/{opened.json()['customerId']}"
    early = now()
    for method, place, body in (
        ("PATCH", path, {"needs": "维修"}),
        ("POST", f"{path}/contacts", {"name": "李敏", "phone": "13900139000"}),
        ("POST", f"{path}/interactions", {"kind": "visit", "note": "好"}),
        ("POST", f"{path}/grade", {"grade": "A", "reason": "战略"}),
    ):
        done = await customer.client.request(method, place, json=body, headers=director)
        assert done.is_success, done.text

    async def read(moment: str | None, headers: dict[str, str] = director) -> httpx.Response:
        params = {} if moment is None else {"as_of": moment}
        return await customer.client.get(path, params=params, headers=headers)

    def told(answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert told(await read(early)) == opened.json()
    assert told(await read(now())) == told(await read(None))
    assert told(await read(now()))["needs"] == "维修"
    none = await read(before)
    assert (none.status_code, none.json()["type"]) == (404, "/problems/customer-unknown")
    assert (await read(early, specialist)).status_code == 403
    masked = told(await read(early, issuer.bearer("u-8", "analyst")))
    assert (masked["name"], masked["region"]) == ("王*", "华东")

    late = now()
    erased = await customer.client.post(f"{path}/erasure", headers=director)
    assert erased.status_code == 200, erased.text
    for moment in (early, late):
        shown = told(await read(moment))
        assert not {"name", "phone", "needs", "knownAs"} & {name for name, value in shown.items() if value}
        assert (shown["region"], shown.get("grade")) == ("华东", None if moment == early else "A")


@pytest.mark.policy("S3-14", "S1-02")
async def test_people_orders_and_promises_are_read_as_of_a_moment_too(customer: Running, issuer: Issuer) -> None:
    director = issuer.bearer("u-9", "director")

    async def done(method: str, place: str, body: object, who: dict[str, str] = director) -> dict[str, Any]:
        answer = await customer.client.request(method, place, json=body, headers=who)
        assert answer.is_success, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def heard(kind: str, **more: Any) -> None:
        data = {"customer": "k", "order": "o-1", **more}
        event: dict[str, Any] = {"specversion": "1.0", "id": kind, "source": "erp", "type": kind, "data": data}
        event["time"] = "2026-03-01T10:00:00Z"
        headers = {**issuer.bearer("erp", "system", topics=["customer-intake"]), "content-type": CLOUD}
        answer = await customer.client.post("/v1/intake", json=event, headers=headers)
        assert answer.json()["receipts"][0]["outcome"] == "accepted", answer.text

    file = await done("POST", "/v1/customers", wang(source="erp", externalId="k", ownerId="u-1"))
    path = f"/v1/customers/{file['customerId']}"
    start = now()
    person = await done("POST", f"{path}/contacts", {"name": "李敏"})
    contact = f"{path}/contacts/{person['contactId']}"
    await done("PUT", f"{contact}/products", {"productLines": ["x"]})
    within: dict[str, Any] = {"promise": "寄证书", "within": {"amount": 3, "unit": "working_days"}}
    promise = await done("POST", f"{path}/commitments", within)
    await heard("order.placed", amount=5_000, currency="CNY")
    early = now()
    await done("PATCH", contact, {"name": "李小敏"})
    await done("POST", f"{path}/commitments/{promise['commitmentId']}/outcome", {"outcome": "kept"})
    await heard("order.cancelled")
    other = await done("POST", "/v1/customers", wang(company="恒信食品", phone="13700000001", ownerId="u-1"))
    await done("POST", f"/v1/customers/{other['customerId']}/contacts", {"name": "赵强"})

    async def seen(moment: str | None = None, **more: str) -> tuple[list[str], list[bool], list[str]]:
        params = {**more, **({} if moment is None else {"as_of": moment})}
        people, orders, promises = [
            (await customer.client.get(f"{path}/{name}", params=params, headers=director)).json()
            for name in ("contacts", "purchases", "commitments")
        ]
        return (
            sorted(one.get("name", "?") for one in people),
            [one["cancelled"] for one in orders],
            [one["status"] for one in promises],
        )

    assert await seen(start) == ([], [], [])
    assert await seen(early) == await seen(early, product_line="x") == (["李敏"], [False], ["open"])
    assert (await seen(early, product_line="y"))[0] == []
    apart = now()
    assert await seen() == await seen(apart) == (["李小敏"], [True], ["kept"])
    body = {"survivorId": file["customerId"], "mergedId": other["customerId"], "reason": "同一家公司"}
    merge = await done("POST", "/v1/merges", body, issuer.bearer("u-1", "specialist"))
    await done("POST", f"/v1/merges/{merge['mergeId']}/decisions", {"decision": "approve", "step": 0})
    assert (await seen())[0] == (await seen(now()))[0] == ["李小敏", "赵强"]
    assert (await seen(apart))[0] == ["李小敏"]
    await done("POST", f"{contact}/erasure", {})
    assert await seen(early) == (["?"], [False], ["open"]), "of who was forgotten nothing comes back"
