"""Whom surveys are sent to: a no ends what is planned at once, and hearing it again, or late, changes nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from services.survey.model.addressee import Addressee, PartOfAnother, Who, evolve, hear, invite, regroup
from services.survey.model.campaign import Campaign, CampaignAlreadyClosed, CampaignUnknown
from shared.contracts.decision import Said

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
WHO = Who(addressee_id="a", customer_id="c", person_id="p")
CAMPAIGN = Campaign(
    campaign_id="k",
    code="spring",
    questionnaire_id="q",
    questionnaire_version=1,
    scoring="linear",
    questions=[],
    started_at=NOW,
)


def after(state: Addressee | None, sentences: Sequence[Said]) -> Addressee:
    for one in sentences:
        state = evolve(state, one.event, one.private)
    assert state is not None
    return state


def planned() -> Addressee:
    return after(None, invite(None, WHO, CAMPAIGN, "i", separate=False, now=NOW))


@pytest.mark.policy("S2-02")
def test_a_no_suppresses_what_is_planned_and_whatever_is_asked_for_later() -> None:
    state = planned()
    assert invite(state, WHO, CAMPAIGN, "i", separate=False, now=NOW) == [], "nobody is invited twice"
    silent = after(state, hear(state, WHO, "withdrawn", 7, NOW))
    assert (silent.invitations["i"].status, silent.invitations["i"].reason) == ("suppressed", "withdrawn")
    other = CAMPAIGN.model_copy(update={"campaign_id": "k2"})
    later = after(silent, invite(silent, WHO, other, "i2", separate=False, now=NOW))
    assert later.invitations["i2"].reason == "withdrawn"
    willing = after(later, hear(later, WHO, "given", 9, NOW))
    assert willing.invitations["i"].status == "suppressed", "what was stopped is not sent by itself"
    again = after(willing, invite(willing, WHO, CAMPAIGN, "i", separate=False, now=NOW))
    assert (again.invitations["i"].status, again.invitations["i"].reason) == ("planned", None)


def test_what_is_heard_again_or_late_changes_nothing() -> None:
    state = after(None, hear(None, WHO, "given", 9, NOW))
    assert hear(state, WHO, "withdrawn", 9, NOW) == []
    assert hear(state, WHO, "withdrawn", 7, NOW) == []
    assert hear(state, WHO, "given", 10, NOW) == []


def test_where_surveys_take_an_own_consent_silence_is_no() -> None:
    state = after(None, invite(None, WHO, CAMPAIGN, "i", separate=True, now=NOW))
    assert state.invitations["i"].reason == "needs_consent"
    willing = after(state, hear(state, WHO, "given", 3, NOW))
    assert after(willing, invite(willing, WHO, CAMPAIGN, "i", separate=True, now=NOW)).invitations["i"].reason is None


def test_nobody_is_invited_to_what_is_over_or_unknown() -> None:
    with pytest.raises(CampaignUnknown):
        invite(None, WHO, None, "i", separate=False, now=NOW)
    with pytest.raises(CampaignAlreadyClosed):
        invite(None, WHO, CAMPAIGN.model_copy(update={"closed_at": NOW}), "i", separate=False, now=NOW)


@pytest.mark.policy("S0-34")
def test_who_is_part_of_another_is_asked_as_that_one_until_the_files_are_two_again() -> None:
    part = after(planned(), regroup(planned(), WHO, "s", 11, NOW))
    assert (part.merged_into, part.invitations["i"].reason) == ("s", "merged")
    assert regroup(part, WHO, None, 11, NOW) == [], "heard before"
    with pytest.raises(PartOfAnother, match="into that of s"):
        invite(part, WHO, CAMPAIGN, "i", separate=False, now=NOW)
    whole = after(part, regroup(part, WHO, None, 12, NOW))
    assert regroup(whole, WHO, "s", 11, NOW) == [], "what is heard again, late, changes nothing"
    assert after(whole, invite(whole, WHO, CAMPAIGN, "i", separate=False, now=NOW)).invitations["i"].status == "planned"


def test_who_was_never_asked_is_known_to_be_part_of_another() -> None:
    assert after(None, regroup(None, WHO, "s", 4, NOW)).merged_into == "s"
