"""Who acts, and in which roles, where a policy asks for a role."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header

from services.customer.desk import Desk
from shared.plumbing.access import Caller, caller
from shared.policy.approvals.acting import Acting

PERSON = Header(max_length=100, description="Who you are, where no authentication is configured; ignored where it is.")


def acting(desk: Desk) -> Callable[..., Awaitable[Acting]]:
    """Dependency: the caller as somebody who decides. A process without authentication takes everyone's word."""

    async def who_acts(
        who: Annotated[Caller, Depends(caller)], x_manyi_person: Annotated[str | None, PERSON] = None
    ) -> Acting:
        if who.unrestricted:
            every_role = frozenset(desk.policies.titles(desk.today()).values())
            return Acting(person=x_manyi_person or who.actor, roles=every_role)
        return Acting(person=who.subject, roles=who.roles, substitutions=who.standing_in)

    return who_acts
