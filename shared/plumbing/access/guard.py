"""What decides about the requests of one process: whose tokens count, the roles table, the teams."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

import yaml

from shared.plumbing.access.grants import GrantBook
from shared.plumbing.access.keys import IssuerKeys, KeysUnavailable
from shared.plumbing.access.permit import Permit
from shared.plumbing.access.tokens import TokenRefused, Tokens, Trust
from shared.plumbing.audit.trail import Audit
from shared.plumbing.clock import Clock, SystemClock
from shared.plumbing.identity import Identity
from shared.plumbing.problems import Problem
from shared.plumbing.settings import Settings
from shared.plumbing.telemetry import logger
from shared.policy.approvals.acting import Substitution
from shared.policy.permission.decision import Caller, Question
from shared.policy.permission.organisation import Organisation
from shared.policy.permission.table import Roles
from shared.policy.shelf import read_roles

LOCAL = Caller("local", unrestricted=True)
"""Everybody who reaches a process without authentication; such a one listens on the loopback interface (app.py)."""
StandingIn = Callable[[str, datetime], Awaitable[tuple[Substitution, ...]]]
"""Whose roles somebody takes over at an instant."""
DAYS_REMEMBERED = 2
log = logger("access")


class Unauthenticated(Problem):
    """Nobody is known to ask. `sentence` says what to do, never what was in a token."""

    def __init__(self, sentence: str, error: str | None = None) -> None:
        super().__init__(401, "unauthenticated", "Who are you?", sentence)
        told = "" if error is None else f', error="{error}", error_description="{sentence}"'
        self.headers = {"WWW-Authenticate": f'Bearer realm="manyi"{told}'}


class Guard:
    """Who is known here and what they may do."""

    def __init__(
        self,
        service: str,
        roles: Roles,
        organisation: Organisation,
        tokens: Tokens | None,
        clock: Clock,
        grants: GrantBook | None,
        audit: Audit | None,
        standing_in: StandingIn | None = None,
    ):
        self._service = service
        self._in_force = lru_cache(DAYS_REMEMBERED)(roles.in_force)
        self._organisation = organisation
        self._tokens = tokens
        self._clock = clock
        self._grants = grants
        self._audit = audit
        self._standing_in = standing_in

    async def identify(self, authorization: str | None) -> Caller:
        """Who the Authorization header speaks for. Raises Unauthenticated, Problem 503 while it cannot be checked."""
        if self._tokens is None:
            return LOCAL
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("Send a token of the issuer: Authorization: Bearer …; ./manyi token makes one here.")
        try:
            return await self._tokens.caller(token.strip())
        except TokenRefused as refused:
            log.warning("token refused", why=str(refused))
            sentence = str(refused)
            raise Unauthenticated(f"{sentence[0].upper()}{sentence[1:]}.", "invalid_token") from refused
        except KeysUnavailable as error:
            log.warning("tokens cannot be checked", why=str(error))
            detail = "The token issuer's keys cannot be read; try again later."
            raise Problem(503, "issuer-unavailable", "Issuer unavailable", detail) from error

    async def permit(self, who: Caller, action: str, topic: str, correlation: str) -> Permit:
        """What this caller may do with this action now."""
        now = self._clock.now()
        table = self._in_force(now.date())
        declared = table.actions.get(action)
        if self._standing_in is not None and declared is not None and declared.kind == "approve":
            who = replace(who, standing_in=await self._standing_in(who.subject, now))
        granted = any("granted" in right.scope for right in table.rights(who.roles, action))
        grants = await self._grants.held(who.subject, now) if granted and self._grants is not None else ()
        question = Question(table, self._organisation, who, action, now, f"{self._service}-{topic}", grants)
        return Permit(question, correlation, self._audit)


def guard_for(
    service: str,
    settings: Settings,
    grants: GrantBook | None,
    audit: Audit | None,
    standing_in: StandingIn | None = None,
) -> Guard:
    """Everything that decides about requests. Raises PackUnsound for unsound roles, ValidationError for teams."""
    organisation = Organisation()
    if settings.teams_file is not None:
        organisation = Organisation.model_validate(yaml.safe_load(settings.teams_file.read_text()))
    return Guard(service, read_roles(), organisation, _tokens(settings), SystemClock(), grants, audit, standing_in)


def _tokens(settings: Settings) -> Tokens | None:
    if settings.jwks is None or settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    trust = Trust(settings.oidc_issuer, settings.oidc_audience, settings.roles_claim)
    identity = Identity(bytes.fromhex(settings.keys.installation_key.get_secret_value()))
    return Tokens(trust, IssuerKeys(settings.jwks), identity)
