"""Which tokens count, and what is read from them (ARCHITECTURE §8)."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from shared.plumbing.access.keys import NOT_SOONER_THAN_S, READ_AGAIN_AFTER_S, IssuerKeys, KeysUnavailable
from shared.plumbing.access.tokens import LEEWAY_S, TRUSTED_FOR_S, TokenRefused, Tokens, Trust
from shared.plumbing.identity import Identity
from tests.support.issuer import AUDIENCE, ISSUER, Issuer

IDENTITY = Identity(bytes(32))


class Hands:
    """A clock with hands to move."""

    def __init__(self) -> None:
        self.at = time.time()

    def __call__(self) -> float:
        return self.at


def reader(issuer: Issuer, now: Callable[[], float] = time.time, roles_claim: str = "roles") -> Tokens:
    return Tokens(Trust(ISSUER, AUDIENCE, roles_claim), IssuerKeys(str(issuer.jwks), now), IDENTITY, now)


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


async def test_a_token_speaks_for_its_subject(issuer: Issuer) -> None:
    who = await reader(issuer).caller(issuer.token("u-17", "specialist", "analyst", teams=["north"], topics=["t"]))
    assert (who.subject, who.unrestricted) == ("u-17", False)
    assert who.roles == {"specialist", "analyst"}
    assert (set(who.teams), set(who.topics)) == ({"north"}, {"t"})


@pytest.mark.parametrize("sub", ["fang.wang@example.com", "13800135678", "王芳", "fang 13800135678", "a" * 65])
async def test_a_subject_that_may_name_a_person_becomes_an_id(issuer: Issuer, sub: str) -> None:
    who = await reader(issuer).caller(issuer.token(sub))
    assert who.subject == IDENTITY.of("staff", ISSUER, sub)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "other"},
        {"aud": ["other"]},
        {"exp": int(time.time()) - 86_400},
        {"nbf": int(time.time()) + 86_400},
        {"exp": None},
        {"iss": None},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"exp": "tomorrow"},
    ],
    ids=str,
)
async def test_a_token_for_somebody_else_or_another_time_is_refused(issuer: Issuer, claims: dict[str, object]) -> None:
    told = {"sub": "u-17", **claims}
    sub = told.pop("sub")
    with pytest.raises(TokenRefused):
        await reader(issuer).caller(issuer.token(sub, "director", **told))  # type: ignore[arg-type]


async def test_only_a_signature_of_the_issuer_counts(issuer: Issuer, tmp_path: Path) -> None:
    good = issuer.token("u-17", "specialist")
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = part({**claims, "roles": ["director"]})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = Issuer(elsewhere)
    unnamed = OKPKey.generate_key("Ed25519")
    shared_secret = OctKey.import_key(issuer.jwks.read_bytes().hex())
    wrong = {
        "another's": other.token("u-17"),
        "changed": f"{head}.{forged}.{signature}",
        "unsigned": f"{part({'alg': 'none', 'kid': 'one'})}.{body}.",
        "cut": f"{head}.{body}.",
        "public key as secret": jwt.encode({"alg": "HS256", "kid": "one"}, claims, shared_secret, ["HS256"]),
        "no key named": jwt.encode({"alg": "Ed25519"}, claims, unnamed, ["Ed25519"]),
        "not a token": "hello",
        "not text": "a.b.c",
        "too long": good + "x" * 9_000,
    }
    for name, token in wrong.items():
        with pytest.raises(TokenRefused) as refused:
            await reader(issuer).caller(token)
        assert "director" not in str(refused.value), name
        assert "u-17" not in str(refused.value), name


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("ES256", ECKey.generate_key("P-256", {"kid": "k"})), ("RS256", RSAKey.generate_key(2048, {"kid": "k"}))],
    ids=["ES256", "RS256"],
)
async def test_common_issuers_algorithms_count(issuer: Issuer, algorithm: str, key: ECKey | RSAKey) -> None:
    issuer.publish(key)
    claims = {"iss": ISSUER, "aud": [AUDIENCE, "other"], "sub": "u-17", "exp": int(time.time()) + 60}
    token = jwt.encode({"alg": algorithm, "kid": "k"}, claims, key, [algorithm])
    assert (await reader(issuer).caller(token)).subject == "u-17"


async def test_roles_are_read_where_the_issuer_writes_them(issuer: Issuer) -> None:
    keycloak = issuer.token("u-17", realm_access={"roles": ["director", 7, {"x": 1}]})
    assert (await reader(issuer, roles_claim="realm_access.roles").caller(keycloak)).roles == {"director"}
    spaced = issuer.token("u-17", scope="director analyst")
    assert (await reader(issuer, roles_claim="scope").caller(spaced)).roles == {"director", "analyst"}
    for nothing in (None, 7, {"director": True}):
        token = issuer.token("u-17", roles=nothing)
        assert (await reader(issuer).caller(token)).roles == frozenset()


async def test_a_new_key_is_fetched_but_not_for_every_invented_one(issuer: Issuer) -> None:
    now = Hands()
    tokens = reader(issuer, now)
    await tokens.caller(issuer.token("u-17"))
    issuer.key = OKPKey.generate_key("Ed25519", {"kid": "two"})
    issuer.publish(issuer.key)
    with pytest.raises(TokenRefused):
        await tokens.caller(issuer.token("u-17"))
    now.at += NOT_SOONER_THAN_S
    assert (await tokens.caller(issuer.token("u-17"))).subject == "u-17"


async def test_a_key_taken_back_counts_no_more_after_a_while(issuer: Issuer) -> None:
    now = Hands()
    tokens, token = reader(issuer, now), issuer.token("u-17", exp=int(time.time()) + 10_000)
    await tokens.caller(token)
    issuer.publish(OKPKey.generate_key("Ed25519", {"kid": "two"}))
    assert (await tokens.caller(token)).subject == "u-17"
    now.at += READ_AGAIN_AFTER_S + TRUSTED_FOR_S
    with pytest.raises(TokenRefused):
        await tokens.caller(token)


async def test_a_known_token_ends_when_it_says(issuer: Issuer) -> None:
    now = Hands()
    tokens, token = reader(issuer, now), issuer.token("u-17", exp=int(now.at) + 5)
    await tokens.caller(token)
    now.at += 5 + LEEWAY_S
    with pytest.raises(TokenRefused):
        await tokens.caller(token)


async def test_keys_known_before_count_while_the_issuer_is_away(issuer: Issuer) -> None:
    now = Hands()
    tokens = reader(issuer, now)
    await tokens.caller(issuer.token("u-17"))
    issuer.jwks.unlink()
    now.at += READ_AGAIN_AFTER_S
    assert (await tokens.caller(issuer.token("u-18", exp=int(now.at) + 60))).subject == "u-18"
    with pytest.raises(KeysUnavailable):
        await reader(issuer).caller(issuer.token("u-17"))
    issuer.jwks.write_text("[]")
    with pytest.raises(KeysUnavailable):
        await reader(issuer).caller(issuer.token("u-17"))


def test_keys_come_from_a_file_or_over_a_line_nobody_can_touch() -> None:
    for place in ("/etc/jwks.json", "https://issuer.example/jwks", "http://127.0.0.1:8/jwks"):
        IssuerKeys(place)
    with pytest.raises(ValueError, match="https"):
        IssuerKeys("http://issuer.example/jwks")
