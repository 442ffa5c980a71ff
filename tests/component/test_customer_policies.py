"""Policies over HTTP: announced as their day comes, listed with who has not read them, read by everybody."""

import pytest

from services.customer.commands.announce_policies import Announcements
from shared.plumbing.settings import Settings
from tests.support.issuer import Issuer
from tests.support.nights import night
from tests.support.service import Running

pytestmark = pytest.mark.stack


@pytest.mark.policy("S1-23", "S4-01")
async def test_all_our_people_read_what_was_announced_and_it_shows_who_has_not(
    customer: Running, settings: Settings, issuer: Issuer
) -> None:
    async with night(settings) as later:
        hr, clerk = issuer.bearer("u-hr", "hr"), issuer.bearer("u-1", "specialist")
        for person in ("u-1", "u-2"):
            post = {"role": "specialist", "unit": "customer_data_team"}
            seated = await customer.client.post(f"/v1/staff/{person}/posts", json=post, headers=hr)
            assert seated.status_code == 201, seated.text
        chore = Announcements(later.ledger, later.desk)
        assert [await chore.step() for _ in range(2)] == [5, 0], "a version each of S0, S1, S2, S3, S4"
        listed = (await customer.client.get("/v1/policies", headers=clerk)).json()
        (ours,) = [one for one in listed if one["document"] == "S4"]
        assert ours["announced"] < ours["effectiveFrom"]
        assert (ours["drafter"], ours["readers"], ours["missing"]) == ("manager", 0, ["u-1", "u-2"])
        place = f"/v1/policies/{ours['editionId']}/readings"
        read = await customer.client.post(place, json={}, headers=clerk)
        assert (read.status_code, read.json()["missing"], read.json()["trained"]) == (201, ["u-2"], 0), read.text
        again = await customer.client.post(place, json={}, headers=clerk)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/policy-read-already")
        trained = await customer.client.post(place, json={"trained": True}, headers=clerk)
        assert (trained.json()["readers"], trained.json()["trained"]) == (1, 1)
        unknown = await customer.client.post(f"/v1/policies/{'0' * 32}/readings", json={}, headers=clerk)
        assert unknown.status_code == 404
        service = issuer.bearer("crm", "system")
        assert (await customer.client.get("/v1/policies", headers=service)).status_code == 403
