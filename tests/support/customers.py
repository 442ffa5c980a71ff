"""Customers as a clerk would open them."""

from typing import Any

from tests.support.service import Running


def wang(**more: Any) -> dict[str, Any]:
    """A file with everything the policies ask for at the first contact; `more` adds or replaces."""
    return {
        "name": "王芳",
        "company": "华东精密仪器有限公司",
        "phone": "13800138000",
        "needs": "校准服务",
        "lawfulBasis": "contract",
        **more,
    }


async def post(service: Running, path: str, body: object, person: str = "staff-1") -> tuple[int, dict[str, Any]]:
    """Status and answer of a command by one person."""
    answer = await service.client.post(path, json=body, headers={"X-Manyi-Person": person})
    return answer.status_code, answer.json()


async def opened(service: Running, **more: Any) -> str:
    """Id of a new file."""
    status, file = await post(service, "/v1/customers", wang(**more))
    assert status == 201, file
    return str(file["customerId"])


async def trusted(customer: Running, customer_id: str, credit: str = "good") -> None:
    """Give a customer this credit, as one clerk asked and finance decided."""
    changes = f"/v1/customers/{customer_id}/key-changes"
    status, asked = await post(customer, changes, {"credit": credit}, "clerk-1")
    assert status == 201, asked
    yes = {"decision": "approve", "step": 0}
    status, decided = await post(customer, f"{changes}/{asked['requestId']}/decisions", yes, "finance-1")
    assert (status, decided["status"]) == (200, "approved"), decided


async def merged(customer: Running, survivor: str, other: str) -> dict[str, Any]:
    """Two files made one, as one clerk asked and a director decided; the request as it stands then."""
    body = {"survivorId": survivor, "mergedId": other, "reason": "同一家公司"}
    asked = await customer.client.post("/v1/merges", json=body, headers={"X-Manyi-Person": "clerk-1"})
    assert asked.status_code == 201, asked.text
    place = f"/v1/merges/{asked.json()['mergeId']}/decisions"
    yes = {"decision": "approve", "step": 0}
    decided = await customer.client.post(place, json=yes, headers={"X-Manyi-Person": "director-1"})
    assert (decided.status_code, decided.json()["status"]) == (200, "approved"), decided.text
    told: dict[str, Any] = decided.json()
    return told
