"""The development issuer: its tokens count where services are told of it, and nobody else can read its key."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.__main__ import door
from deploy.local.issuer import bearer, ensure_issuer, settings_for
from shared.plumbing.access.keys import IssuerKeys
from shared.plumbing.access.tokens import Tokens, Trust
from shared.plumbing.identity import Identity
from shared.plumbing.settings import Settings


def made(folder: Path, *arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(door("token"), ["token", "--data", str(folder), *arguments])
    return answer.exit_code, answer.stdout.strip()


async def test_a_token_counts_for_a_service_that_was_told_of_the_issuer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, token = made(tmp_path, "--role", "director", "--role", "analyst", "--sub", "u-7", "--team", "north")
    assert status == 0
    for name, value in settings_for(tmp_path).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    trust = Trust(str(settings.oidc_issuer), str(settings.oidc_audience), settings.roles_claim)
    who = await Tokens(trust, IssuerKeys(str(settings.jwks)), Identity(bytes(32))).caller(token)
    assert (who.subject, set(who.roles), set(who.teams)) == ("u-7", {"director", "analyst"}, {"north"})


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = ensure_issuer(tmp_path)
    before = path.read_text()
    assert ensure_issuer(tmp_path).read_text() == before
    assert path.stat().st_mode & 0o077 == 0
    assert '"d"' not in path.with_name("jwks.json").read_text()


def test_a_role_that_does_not_exist_is_named(tmp_path: Path) -> None:
    answer = CliRunner().invoke(door("token"), ["token", "--data", str(tmp_path), "--role", "emperor"])
    assert "emperor" in str(answer.exception)


def test_our_commands_send_the_token_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MANYI_TOKEN", raising=False)
    assert bearer() == {}
    monkeypatch.setenv("MANYI_TOKEN", "a.b.c")
    assert bearer() == {"Authorization": "Bearer a.b.c"}
