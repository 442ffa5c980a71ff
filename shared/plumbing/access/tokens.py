"""Bearer tokens: signed JWTs of one issuer for one audience become a caller; everything else is refused.

The algorithms are fixed here and asymmetric, so neither `none` nor a public key taken for a shared secret can pass.
A token is a credential: it is never logged, kept only as its digest, and no refusal repeats any of it.
"""

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError

from shared.plumbing.access.keys import IssuerKeys
from shared.plumbing.identity import Identity
from shared.policy.permission.decision import Caller

ALGORITHMS = ("Ed25519", "ES256", "PS256", "RS256")
MAX_TOKEN_CHARACTERS = 8_192
LEEWAY_S = 30
TRUSTED_FOR_S = 60.0
"""So long a token counts without its signature being checked again, and without its key being looked up."""
MOST_KNOWN = 10_000
MAX_NAMES = 200
_STAFF_ID = re.compile(r"(?!.*\d{7})[A-Za-z][A-Za-z0-9._-]{0,63}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class TokenRefused(Exception):
    """The token is not one of ours, or not any more; the message says which check failed and nothing of its content."""


@dataclass(frozen=True)
class Trust:
    """Whose tokens count here: issuer, audience, and the (dotted) claim that names the roles."""

    issuer: str
    audience: str
    roles_claim: str = "roles"


class Tokens:
    """Turns tokens into callers."""

    def __init__(
        self, trust: Trust, keys: IssuerKeys, identity: Identity, now: Callable[[], float] = time.time
    ) -> None:
        self._trust = trust
        self._keys = keys
        self._identity = identity
        self._now = now
        self._known: dict[bytes, tuple[Caller, float]] = {}
        """Digest of a token → whom it speaks for, and until when it need not be checked again."""

    async def caller(self, token: str) -> Caller:
        """Who the token speaks for. Raises TokenRefused, and KeysUnavailable when it cannot be checked."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise TokenRefused("the token is too long")
        digest = hashlib.sha256(token.encode()).digest()
        who, until = self._known.get(digest, (None, 0.0))
        if who is not None and self._now() < until:
            return who
        claims = await self._claims(token)
        who = Caller(
            self._subject(claims["sub"]),
            roles=_names(claims, self._trust.roles_claim),
            teams=_names(claims, "teams"),
            topics=_names(claims, "topics"),
        )
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[digest] = who, min(claims["exp"] + LEEWAY_S, self._now() + TRUSTED_FOR_S)
        return who

    async def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that holds."""
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
        except (JoseError, ValueError, TypeError) as error:
            raise TokenRefused("the token is not a signed JWT") from error
        key = await self._keys.key(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenRefused("the token names no key (kid) that the issuer has")
        try:
            claims = jwt.decode(token, key, ALGORITHMS).claims
        except (JoseError, ValueError, TypeError) as error:
            raise TokenRefused(f"the signature does not hold, or is none of {', '.join(ALGORITHMS)}") from error
        wanted = jwt.JWTClaimsRegistry(
            now=int(self._now()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._trust.issuer},
            aud={"essential": True, "value": self._trust.audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            wanted.validate(claims)
        except ExpiredTokenError as error:
            raise TokenRefused("the token has expired: get a new one") from error
        except JoseError as error:
            raise TokenRefused(
                "the token is of another issuer or audience, not valid yet, or lacks exp or sub"
            ) from error
        return claims

    def _subject(self, sub: str) -> str:
        """A staff id as it is; what may be an address, a phone number or a name gets a keyed id, for it travels."""
        return sub if _STAFF_ID.fullmatch(sub) else self._identity.of("staff", self._trust.issuer, sub)


def _names(claims: Any, path: str) -> frozenset[str]:
    """The names in the claim at a dotted path; nothing where there are none, so that nothing is allowed."""
    for step in path.split("."):
        claims = claims.get(step) if isinstance(claims, dict) else None
    names = claims.split() if isinstance(claims, str) else claims
    return (
        frozenset(name for name in names[:MAX_NAMES] if isinstance(name, str))
        if isinstance(names, list)
        else frozenset()
    )
