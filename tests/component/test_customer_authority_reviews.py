"""Limits of authority over HTTP: reviewed every year, called for as time passes, decided by who approves them."""

from datetime import UTC, datetime, timedelta

import pytest

from services.customer.commands.review_authority import AuthorityReviews
from shared.contracts.envelope import parse_moment
from shared.plumbing.settings import Settings
from tests.support.issuer import Issuer
from tests.support.nights import night, told_of
from tests.support.service import Running

pytestmark = pytest.mark.stack


@pytest.mark.policy("S0-43", "S1-24", "S3-01")
async def test_limits_are_reviewed_every_year_and_what_was_decided_is_recorded(
    customer: Running, settings: Settings, issuer: Issuer
) -> None:
    async with night(settings) as later:
        ceo, manager = issuer.bearer("u-ceo", "ceo"), issuer.bearer("u-mgr", "manager")
        post = {"role": "manager", "unit": "customer_relations"}
        seated = await customer.client.post("/v1/staff/u-mgr/posts", json=post, headers=issuer.bearer("u-hr", "hr"))
        assert seated.status_code == 201, seated.text
        chore = AuthorityReviews(later.ledger, later.desk, later.staffing)
        later.at(datetime(2026, 11, 1, tzinfo=UTC))
        assert [await chore.step() for _ in range(2)] == [5, 0], "a document each of S0, S1, S2, S3, S4"
        (ours,) = [
            one
            for one in (await customer.client.get("/v1/authority-reviews", headers=manager)).json()
            if one["document"] == "S0"
        ]
        due = parse_moment(ours["dueAt"])
        for moment in (parse_moment(ours["askAt"]), due):
            later.at(moment)
            assert [await chore.step() for _ in range(2)] == [5, 0]
        told = await told_of(customer, "manyi.authorityreview.calledfor.v1")
        assert [(one["level"], one["to"], one["people"]) for one in told if one["document"] == "S0"] == [
            (0, "manager", ["u-mgr"]),
            (1, "coo", []),
        ]

        place = f"/v1/authority-reviews/{ours['reviewId']}/decisions"
        text, drafts = {"text": "礼品额度调至2000元"}, f"/v1/authority-reviews/{ours['reviewId']}/drafts"
        drafted = await customer.client.post(drafts, json=text, headers=issuer.bearer("u-1", "specialist"))
        assert [one["by"] for one in drafted.json()["drafts"]] == ["u-1"], drafted.text
        assert (await customer.client.post(drafts, json=text, headers=issuer.bearer("f", "finance"))).status_code == 403
        assert "礼品额度" not in str(await customer.service.database["authority_reviews"].find().to_list())
        kept = {"cycle": 1, "outcome": "kept", "reason": "业务规模未变"}
        assert (await customer.client.post(place, json=kept, headers=manager)).status_code == 403
        other = await customer.client.post(place, json=kept, headers=issuer.bearer("u-dir", "director"))
        assert (other.status_code, other.json()["type"]) == (403, "/problems/authority-review-not-yours")
        decided = await customer.client.post(place, json=kept, headers=ceo)
        assert decided.status_code == 200, decided.text
        shown = decided.json()
        assert (shown["cycle"], shown["outcome"], shown["decidedBy"], shown["changedKeys"]) == (2, "kept", "u-ceo", [])
        assert shown["version"] == shown["versionDecided"]
        assert parse_moment(shown["dueAt"]) > datetime.now(UTC) + timedelta(days=360)
        again = await customer.client.post(place, json=kept, headers=ceo)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/authority-review-decided-already")
        missing = await customer.client.post(f"/v1/authority-reviews/{'0' * 32}/decisions", json=kept, headers=ceo)
        assert missing.status_code == 404
