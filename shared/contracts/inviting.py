"""What the survey service says of whom it asks: invited, or left alone as the person wants it (S2-02, PIPL 15)."""

from typing import ClassVar, Literal

from shared.contracts.envelope import Code, Event, Moment


class AddresseeEvent(Event):
    """Base of the events about somebody who may be asked: the customer, or a contact there (`personId`)."""

    SUBJECT: ClassVar[str] = "addressee"
    addressee_id: Code
    customer_id: Code
    person_id: Code
    at: Moment


class InvitingStopped(AddresseeEvent):
    """Nothing is sent to the person any more; `heard` is the revision of the customer's file that says so."""

    TYPE: ClassVar[str] = "manyi.survey.inviting.stopped.v1"
    reason: Literal["withdrawn", "erased"]
    heard: int


class InvitingAllowed(AddresseeEvent):
    """The person agreed to being asked; `heard` is the revision of the customer's file that says so."""

    TYPE: ClassVar[str] = "manyi.survey.inviting.allowed.v1"
    heard: int


class InvitationPlanned(AddresseeEvent):
    """The person is to be asked in a campaign."""

    TYPE: ClassVar[str] = "manyi.survey.invitation.planned.v1"
    invitation_id: Code
    campaign_id: Code


class InvitationSuppressed(AddresseeEvent):
    """The person is not asked in a campaign, and why."""

    TYPE: ClassVar[str] = "manyi.survey.invitation.suppressed.v1"
    invitation_id: Code
    campaign_id: Code
    reason: Literal["withdrawn", "needs_consent", "erased", "merged"]


class AddresseeMerged(AddresseeEvent):
    """The customer is asked as the one into whose file its own went; `heard` is the revision of the file merged."""

    TYPE: ClassVar[str] = "manyi.survey.addressee.merged.v1"
    survivor_id: Code
    heard: int


class AddresseeParted(AddresseeEvent):
    """The customer is asked as itself again; `heard` is the revision of its file that says so."""

    TYPE: ClassVar[str] = "manyi.survey.addressee.parted.v1"
    heard: int


SAYS: tuple[type[Event], ...] = (
    InvitingStopped,
    InvitingAllowed,
    InvitationPlanned,
    InvitationSuppressed,
    AddresseeMerged,
    AddresseeParted,
)
