"""A token issuer of the test's own: its keys as a JWKS file, and tokens signed with them."""

import json
import time
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import Key, OKPKey

ISSUER, AUDIENCE = "https://issuer.example", "manyi"


class Issuer:
    """Signs with one Ed25519 key at a time; `publish` writes its public half where services read it."""

    def __init__(self, folder: Path) -> None:
        self.jwks = folder / "jwks.json"
        self.key: Key = OKPKey.generate_key("Ed25519", {"kid": "one"})
        self.publish(self.key)

    def publish(self, *keys: Key) -> None:
        self.jwks.write_text(json.dumps({"keys": [key.as_dict(private=False) for key in keys]}))

    def settings(self) -> dict[str, str]:
        """What a service is told of this issuer."""
        return {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "jwks": str(self.jwks)}

    def token(self, sub: str, *roles: str, **claims: Any) -> str:
        """A token that holds for a minute unless `claims` say otherwise."""
        now = int(time.time())
        told = {"iss": ISSUER, "aud": AUDIENCE, "sub": sub, "exp": now + 60, "roles": list(roles), **claims}
        header = {"alg": "Ed25519", "kid": self.key.kid}
        return jwt.encode(
            header, {name: value for name, value in told.items() if value is not None}, self.key, ["Ed25519"]
        )

    def bearer(self, sub: str, *roles: str, **claims: Any) -> dict[str, str]:
        """The same as a header."""
        return {"Authorization": f"Bearer {self.token(sub, *roles, **claims)}"}
