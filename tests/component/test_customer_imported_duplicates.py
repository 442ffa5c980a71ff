"""Real customer lists with planted duplicates come in as a table: they are found, merged and parted, and the numbers
of reporting follow."""

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.customer.main import build as build_customer
from services.reporting.main import build as build_reporting
from shared.plumbing.identity import Identity
from shared.plumbing.settings import secret
from tests.support.customers import merged
from tests.support.eventually import eventually
from tests.support.planted import File, bundled, olist, plant, telco
from tests.support.service import Running, running, settings_for
from tests.support.stack import Namespace, RealStack

pytestmark = pytest.mark.stack
COLUMNS = {"id": "externalId", "company": "company", "phone": "phone", "email": "email", "address": "address"}
CONSTANTS = {"name": "采购部", "needs": "x", "lawfulBasis": "contract"}
TAKEN = 250
"""Customers of each list."""


def table(files: list[File]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([list(COLUMNS), *([one[column] or "" for column in COLUMNS] for one in files)])
    return text.getvalue().encode()


async def imported(customer: Running, source: str, files: list[File]) -> list[dict[str, Any]]:
    """What became of each row."""
    upload = {"content-type": "application/octet-stream"}
    job = (await customer.client.post("/v1/imports", content=table(files), headers=upload)).json()
    place = f"/v1/imports/{job['importId']}"
    reading = {"columns": COLUMNS, "constants": CONSTANTS, "source": source}
    assert (await customer.client.post(f"{place}/runs", json=reading)).status_code == 202

    async def done() -> bool:
        return bool((await customer.client.get(place)).json()["state"] == "done")

    await eventually(done, timeout=180)
    rows: list[dict[str, Any]] = (await customer.client.get(f"{place}/rows", params={"limit": 1000})).json()["rows"]
    return rows


async def order(customer: Running, source: str, who: str, at: str) -> None:
    data = {"customer": who, "order": f"o-{who}", "amount": 1000, "currency": "CNY"}
    event = {"specversion": "1.0", "id": who, "source": source, "type": "order.placed", "time": at, "data": data}
    headers = {"content-type": "application/cloudevents+json"}
    answer = await customer.client.post("/v1/intake", json=event, headers=headers)
    assert answer.json()["receipts"][0]["outcome"] == "accepted", answer.text


@pytest.mark.policy("S0-34", "S2-15")
async def test_planted_duplicates_are_found_on_import_merged_and_parted(
    stack: RealStack, namespace: Namespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = os.environ.get("MANYI_DATA", "")
    lists: tuple[Callable[[Path], list[File]], ...] = (olist, telco) if folder else (bundled,)
    settings = settings_for(stack, namespace, tmp_path)
    identity = Identity(secret(settings.keys.installation_key))
    async with running(build_customer, settings) as customer:
        opened: list[tuple[str, str, str]] = []
        for source in lists:
            name = source.__name__
            files, planted = plant(source(Path(folder))[:TAKEN], share=0.1, seed=7)
            rows = await imported(customer, name, files)
            ids = {identity.customer(name, one["id"]): one["id"] for one in files}
            said = {one["row"]: one for one in rows}
            pairs = {
                frozenset((file["id"], ids[like["customerId"]])): said[number]
                for number, file in enumerate(files, 2)
                for like in said[number]["alike"]
            }
            found = set(pairs)
            recall, precision = len(found & planted) / len(planted), len(found & planted) / len(found)
            with capsys.disabled():
                print(
                    f"\n{name}: {len(files)} rows, {len(planted)} planted, {len(found)} reported, "
                    f"recall {recall:.4f}, precision {precision:.4f}"
                )
            assert recall >= 0.95
            assert precision >= 0.95
            silent = [one for one in rows if one["outcome"] == "opened" and ids[one["customerId"]].endswith("+")]
            assert all(one["alike"] for one in silent)
            opened += [(name, *sorted(pair)) for pair, row in pairs.items() if row["outcome"] == "opened"]

        name, one, two = opened[0]
        await order(customer, name, one, "2026-01-10T04:00:00Z")
        await order(customer, name, two, "2026-02-10T04:00:00Z")
        survivor, other = identity.customer(name, one), identity.customer(name, two)
        async with running(build_reporting, settings_for(stack, namespace, tmp_path)) as reporting:

            async def becomes(buyers: int, repeating: int) -> None:
                async def so() -> bool:
                    period = {"from": "2026-01-01", "to": "2026-04-01"}
                    total = (await reporting.client.get("/v1/metrics/repurchase_rate", params=period)).json()["total"]
                    return bool((total["n"], total["count"]) == (buyers, repeating))

                await eventually(so, timeout=120)

            await becomes(2, 0)
            await merged(customer, survivor, other)
            await becomes(1, 1)
            parted = await customer.client.post(f"/v1/customers/{other}/unmerge", json={"reason": "不是"})
            assert parted.status_code == 200, parted.text
            await becomes(2, 0)
