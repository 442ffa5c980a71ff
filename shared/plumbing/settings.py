"""What a process is told from outside, by `MANYI_…` variables alone."""

import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.policy.policies import Policies
from shared.policy.shelf import PACKS, PackUnsound, read_policies


def _is_32_bytes(value: SecretStr) -> SecretStr:
    if len(bytes.fromhex(value.get_secret_value())) != 32:
        raise ValueError("a key is 32 bytes, written as 64 hexadecimal digits")
    return value


Key = Annotated[SecretStr, AfterValidator(_is_32_bytes)]


class Keys(BaseModel):
    """The secrets of an installation, 32 bytes each as hex: one names customers, one wraps the keys of persons.

    `other_master_keys` can still be read with: those before a rotation, and during one the next.
    """

    model_config = ConfigDict(frozen=True)
    installation_key: Key
    master_key: Key
    other_master_keys: tuple[Key, ...] = ()

    @property
    def masters(self) -> tuple[bytes, ...]:
        """The master keys as bytes, the one to close with first."""
        return tuple(secret(key) for key in (self.master_key, *self.other_master_keys))


def secret(key: SecretStr) -> bytes:
    """The bytes of a key."""
    return bytes.fromhex(key.get_secret_value())


class Settings(BaseSettings):
    """Addresses, names and limits of one service process."""

    model_config = SettingsConfigDict(env_prefix="MANYI_", frozen=True)

    kafka: str = "127.0.0.1:9092"
    mongo: str = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    instance: str | None = None
    """Name of this process among all of its service, the same again after a restart; None: it has no lasting one."""
    host: str = "127.0.0.1"
    port: int = 8100
    keys_file: Path | None = None
    keys_json: SecretStr | None = Field(default=None, validation_alias=AliasChoices("MANYI_KEYS", "keys_json"))
    topic_prefix: str = "manyi-"
    database_prefix: str = "manyi-"
    zone: str = "Asia/Shanghai"
    policies: str = "s0-enterprise,s4-engineering,s1s2s3-general"
    """Packs that are followed, the most particular first, separated by commas."""
    policy_packs: Path = PACKS
    """The directory of the packs."""
    log_level: str = "INFO"
    insecure: bool = False
    max_body_bytes: int = 1024 * 1024
    max_upload_bytes: int = 8 * 1024 * 1024
    """Of a file that is uploaded, such as a table of customers."""
    batch_records: int | None = Field(default=None, ge=1)
    """Records handed over at once; None: as many as suits each subscription."""
    batch_wait_ms: int = Field(default=20, ge=1)
    stuck_after_s: float = 120.0
    max_dead_letters_in_a_row: int = Field(default=10_000, ge=1)
    """Poison records one after another, without a good one between, before a subscriber stops loudly."""
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    jwks: str | None = None
    """File or https URL with the public keys of the token issuer; with these three set every request needs a token."""
    roles_claim: str = "roles"
    """The claim that names a caller's roles, dotted where it is nested, such as realm_access.roles."""
    teams_file: Path | None = None
    """Teams and their members, for rights that reach a team's rows; unset: nobody has team-mates."""

    audit_dir: Path | None = None
    """Where signed checkpoints of the audit go; unset: `audit` beside the key file."""

    @property
    def checkpoints(self) -> Path | None:
        """The directory of the audit's checkpoints."""
        return self.audit_dir or (None if self.keys_file is None else self.keys_file.parent / "audit")

    @model_validator(mode="after")
    def _authentication_is_whole(self) -> Self:
        given = [self.oidc_issuer, self.oidc_audience, self.jwks]
        if any(given) and not all(given):
            raise ValueError("MANYI_OIDC_ISSUER, MANYI_OIDC_AUDIENCE and MANYI_JWKS belong together: set all or none")
        return self

    @cached_property
    def keys(self) -> Keys:
        """The keys as they were at the start; see `read_keys`."""
        return self.read_keys()

    def read_keys(self) -> Keys:
        """Read the keys, from MANYI_KEYS or else from the key file. Raises SystemExit with what to do without them."""
        if self.keys_json is not None:
            return Keys.model_validate_json(self.keys_json.get_secret_value())
        if self.keys_file is None or not self.keys_file.exists():
            raise SystemExit(
                "MANYI_KEYS_FILE names no readable file: point it at a JSON file with installation_key and "
                "master_key (64 hexadecimal digits each), or hold the same JSON in MANYI_KEYS; ./manyi up makes a file"
            )
        return Keys.model_validate(json.loads(self.keys_file.read_text()))

    def read_policies(self) -> Policies:
        """The packs that are followed. Raises SystemExit when one is not there or unsound."""
        try:
            return read_policies([name.strip() for name in self.policies.split(",")], self.policy_packs)
        except PackUnsound as error:
            raise SystemExit(f"MANYI_POLICIES: {error}") from error

    @cached_property
    def local_zone(self) -> ZoneInfo:
        """Zone of the installation: its midnight ends a day."""
        return ZoneInfo(self.zone)
