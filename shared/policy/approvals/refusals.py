"""Why an approval does not go on, as a clerk would say it."""

from typing import ClassVar

from shared.contracts.decision import Invalid, NotFound, Refusal


class ApprovalUnknown(NotFound):
    SLUG = "approval-unknown"


class AlreadySubmitted(Refusal):
    SLUG = "approval-already-submitted"


class ApprovalNotOpen(Refusal):
    """Decided, withdrawn or lapsed: nothing more can be done with it."""

    SLUG = "approval-not-open"


class StepAlreadyDecided(Refusal):
    """Somebody was faster, or the request has been changed since."""

    SLUG = "approval-step-already-decided"


class NotYourStep(Refusal):
    """The person holds no role that decides this step, and stands in for nobody who does."""

    STATUS: ClassVar[int] = 403
    SLUG = "approval-not-your-step"


class RequesterCannotApprove(Refusal):
    """Four eyes: requester ≠ approver (S3-15, DOMAIN E4)."""

    STATUS: ClassVar[int] = 403
    SLUG = "approval-requester-cannot-approve"


class ApprovedAlreadyByYou(Refusal):
    """One person takes one step of a chain only, unless the pack allows two."""

    STATUS: ClassVar[int] = 403
    SLUG = "approval-approved-already-by-you"


class DeadlinePassed(Refusal):
    """The whole route had to be through by now."""

    SLUG = "approval-deadline-passed"


class NotYourRequest(Refusal):
    STATUS: ClassVar[int] = 403
    SLUG = "approval-not-your-request"


class NoEmergencyPath(Refusal):
    """The chain has no emergency, or not one that this person may declare (S0-32)."""

    STATUS: ClassVar[int] = 403
    SLUG = "approval-no-emergency-path"


class HandOverRefused(Refusal):
    SLUG = "approval-hand-over-refused"


class ReasonMissing(Invalid):
    SLUG = "approval-reason-missing"
