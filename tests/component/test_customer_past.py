"""A file as it was: what was recorded by then, and nothing personal of who was forgotten since."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.support.customers import wang
from tests.support.issuer import Issuer
from tests.support.service import Running

pytestmark = pytest.mark.stack


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
