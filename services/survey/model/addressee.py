"""Somebody who may be asked: invited in campaigns, and left alone as soon as the person wants it so (PIPL 15)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from services.survey.model.campaign import Campaign, CampaignAlreadyClosed, CampaignUnknown
from shared.contracts import inviting as said
from shared.contracts.decision import Refusal, Said
from shared.contracts.envelope import Event
from shared.contracts.state import Part, State

COLLECTION, INVITATIONS = "addressees", "invitations"
PURPOSE = "survey"
"""The purpose of consents that surveys rest on (policy key consent.purposes)."""
Word = Literal["given", "withdrawn", "erased"]


class PartOfAnother(Refusal):
    """Whoever is merged is asked as the survivor, once (S0-34)."""

    SLUG = "addressee-part-of-another"


class Invitation(Part):
    """One campaign's; suppressed is not sent, for the reason."""

    campaign_id: str
    person_id: str
    customer_id: str
    status: Literal["planned", "suppressed"]
    reason: str | None = None
    at: datetime


class Addressee(State):
    """A customer or a contact; `word` is what the person last said of surveys, told by revision `heard` of the file."""

    PARTS: ClassVar[Mapping[str, tuple[str, type[Part]]]] = {"invitations": (INVITATIONS, Invitation)}
    addressee_id: str
    customer_id: str
    person_id: str
    word: Word | None = None
    heard: int = 0
    merged_into: str | None = None
    """The customer as whom this one is asked, as long as the two files are one."""
    regrouped: int = 0
    """The revision of the file that last told so, or the contrary."""
    invitations: dict[str, Invitation] = {}


class Who(BaseModel):
    """Whom an event of ours is about."""

    model_config = ConfigDict(frozen=True)
    addressee_id: str
    customer_id: str
    person_id: str


def evolve(state: Addressee | None, event: Event, _private: Mapping[str, Any]) -> Addressee:
    """Fold one event into the state."""
    mine = state or Addressee.model_validate(event.model_dump(include=set(Who.model_fields)))
    match event:
        case said.InvitingStopped():
            return mine.model_copy(update={"word": event.reason, "heard": event.heard})
        case said.InvitingAllowed():
            return mine.model_copy(update={"word": "given", "heard": event.heard})
        case said.AddresseeMerged():
            return mine.model_copy(update={"merged_into": event.survivor_id, "regrouped": event.heard})
        case said.AddresseeParted():
            return mine.model_copy(update={"merged_into": None, "regrouped": event.heard})
        case said.InvitationPlanned() | said.InvitationSuppressed():
            planned = isinstance(event, said.InvitationPlanned)
            fields = {**event.model_dump(), "status": "planned" if planned else "suppressed"}
            invitations = {**mine.invitations, event.invitation_id: Invitation.model_validate(fields)}
            return mine.model_copy(update={"invitations": invitations})
        case _:
            raise ValueError(f"{event.TYPE} is not an event of an addressee")


def invite(
    state: Addressee | None, who: Who, campaign: Campaign | None, invitation_id: str, separate: bool, now: datetime
) -> list[Said]:
    """Ask somebody in a campaign, once; or say why not. `separate`: surveys take the person's own consent.

    Raises CampaignUnknown, CampaignAlreadyClosed, PartOfAnother.
    """
    if state is not None and state.merged_into is not None:
        raise PartOfAnother(f"this customer's file went into that of {state.merged_into} just now; ask once more")
    if campaign is None:
        raise CampaignUnknown("there is no such campaign; start it with POST /v1/campaigns")
    if campaign.over_at(now):
        raise CampaignAlreadyClosed(
            f"campaign {campaign.code!r} is closed, and nobody is invited to it any more; start another one"
        )
    about = {**dict(who), "invitation_id": invitation_id, "campaign_id": campaign.campaign_id, "at": now}
    word, before = (None, None) if state is None else (state.word, state.invitations.get(invitation_id))
    reason = word if word in ("withdrawn", "erased") else "needs_consent" if separate and word is None else None
    if before is not None and before.reason == reason:
        return []
    if reason is None:
        return [Said(said.InvitationPlanned.model_validate(about), now)]
    return [Said(said.InvitationSuppressed.model_validate({**about, "reason": reason}), now)]


def hear(state: Addressee | None, who: Who, word: Word, heard: int, now: datetime) -> list[Said]:
    """What a person said of surveys; what was said before something that is known already changes nothing.

    A no ends every invitation that is still to be sent.
    """
    if state is not None and (heard <= state.heard or state.word == word):
        return []
    about = {**dict(who), "at": now, "heard": heard}
    if word == "given":
        return [Said(said.InvitingAllowed.model_validate(about), now)]
    stopped = Said(said.InvitingStopped.model_validate({**about, "reason": word}), now)
    return [stopped, *_suppressed(state, who, word, now)]


def regroup(state: Addressee | None, who: Who, survivor_id: str | None, heard: int, now: datetime) -> list[Said]:
    """The customer's file went into that of the survivor; without one it stands alone again.

    What was to be sent is not: the survivor may be invited already, and it is the survivor's word that counts now.
    """
    if state is not None and heard <= state.regrouped:
        return []
    about = {**dict(who), "at": now, "heard": heard}
    if survivor_id is None:
        return [Said(said.AddresseeParted.model_validate(about), now)]
    merged = Said(said.AddresseeMerged.model_validate({**about, "survivor_id": survivor_id}), now)
    return [merged, *_suppressed(state, who, "merged", now)]


def _suppressed(state: Addressee | None, who: Who, reason: str, now: datetime) -> list[Said]:
    """The end of every invitation that is still to be sent."""
    ended = [
        {**dict(who), "invitation_id": name, "campaign_id": one.campaign_id, "at": now, "reason": reason}
        for name, one in ({} if state is None else state.invitations).items()
        if one.status == "planned"
    ]
    return [Said(said.InvitationSuppressed.model_validate(one), now) for one in ended]
