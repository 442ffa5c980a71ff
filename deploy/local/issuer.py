"""A token issuer for one machine: a key in the data directory, and tokens signed with it. Development only."""

import json
import os
import time
from pathlib import Path

ISSUER = "manyi-development"
AUDIENCE = "manyi"
ALGORITHM = "Ed25519"


def ensure_issuer(data_dir: Path) -> Path:
    """The issuer's private key, made when it is first asked for; its public half lies beside it as jwks.json."""
    from joserfc.jwk import OKPKey

    folder = data_dir / "issuer"
    path = folder / "key.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = OKPKey.generate_key("Ed25519", auto_kid=True)
        (folder / "jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        draft = path.with_suffix(".json.new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(key.as_dict(private=True), file)
        draft.replace(path)
    return path


def settings_for(data_dir: Path) -> dict[str, str]:
    """What a service must be told to want tokens of this issuer."""
    jwks = ensure_issuer(data_dir).with_name("jwks.json")
    return {"MANYI_OIDC_ISSUER": ISSUER, "MANYI_OIDC_AUDIENCE": AUDIENCE, "MANYI_JWKS": str(jwks)}


def sign(
    data_dir: Path, subject: str, roles: list[str], hours: float, teams: list[str] | None, topics: list[str] | None
) -> str:
    """A token that holds from now for so many hours."""
    from joserfc import jwt
    from joserfc.jwk import OKPKey

    key = OKPKey.import_key(json.loads(ensure_issuer(data_dir).read_text()))
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + int(hours * 3600)}
    lists = {"roles": roles, "teams": teams or [], "topics": topics or []}
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, {**claims, **lists}, key, [ALGORITHM])


def bearer() -> dict[str, str]:
    """The header that our own commands send: MANYI_TOKEN, whoever issued it; nothing where it is not set."""
    token = os.environ.get("MANYI_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}
