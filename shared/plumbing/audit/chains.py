"""Hash chains: h_n = HMAC-SHA-256(audit key, h_n-1 ‖ content of line n) (S0-05, S0-33).

A single chain would make every command of a service wait for the one before it. So each process has chains of its own,
as many as it has commits in flight; a chain has one writer at a time and needs no look-up. The keys are derived from
the installation's key, so whoever can write to the database alone cannot forge a line.
"""

import hashlib
import hmac
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.contracts.envelope import moment_text

GENESIS = bytes(32)
Link = dict[str, Any]


class AuditKeys:
    """The keys of one service's audit: one for its chains, one for the signature of checkpoints."""

    def __init__(self, installation_key: bytes, service: str) -> None:
        self.service = service
        self._chain = _derived(installation_key, f"manyi/audit/chain/{service}")
        self.signing = Ed25519PrivateKey.from_private_bytes(
            _derived(installation_key, f"manyi/audit/checkpoint/{service}")
        )

    def mac(self, before: bytes, chain: str, seq: int, content: Mapping[str, Any]) -> bytes:
        """The hash of one line behind the line with the hash `before`."""
        line = {"chain": chain, "seq": seq, "content": content}
        options = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
        return hmac.digest(self._chain, before + orjson.dumps(line, default=_plain, option=options), hashlib.sha256)


class Chain:
    """One chain and what its only writer knows of its end."""

    def __init__(self, keys: AuditKeys, name: str) -> None:
        self._keys = keys
        self.name = name
        self.seq, self.mac = 0, GENESIS

    def link(self, content: Mapping[str, Any]) -> Link:
        """The place of the next line, and its hash."""
        self.seq += 1
        self.mac = self._keys.mac(self.mac, self.name, self.seq, content)
        return {"chain": self.name, "seq": self.seq, "mac": self.mac}


class Chains:
    """The chains of one process in one collection."""

    def __init__(self, keys: AuditKeys) -> None:
        self.keys = keys
        self.name = uuid.uuid4().hex[:12]
        self.heads: dict[str, tuple[int, bytes]] = {}
        """Where every chain stands in the database, for the next checkpoint."""
        self._opened = 0
        self._free: list[Chain] = []

    @contextmanager
    def one(self, rewind: type[Exception]) -> Iterator[Chain]:
        """A chain for one write. Its links count when the block ends; after `rewind`, which says that nothing was
        written, they count as never made. After any other exception nobody knows, so the chain ends there."""
        chain = self._free.pop() if self._free else self._open()
        before = chain.seq, chain.mac
        try:
            yield chain
        except rewind:
            chain.seq, chain.mac = before
            self._free.append(chain)
            raise
        self.heads[chain.name] = chain.seq, chain.mac
        self._free.append(chain)

    def _open(self) -> Chain:
        self._opened += 1
        return Chain(self.keys, f"{self.name}-{self._opened}")


def journal_content(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the hash of a journal record covers: its place, its public event, and under which right it was done."""
    told = {name: value for name, value in record.get("link", {}).items() if name not in ("chain", "seq", "mac")}
    return {"id": record["_id"], "event": record["event"], "told": told}


def line_content(line: Mapping[str, Any]) -> dict[str, Any]:
    """What the hash of an audit line covers: all of it but its place and the hash."""
    return {name: value for name, value in line.items() if name not in ("_id", "link")}


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return moment_text(value)
    raise TypeError(f"{type(value).__name__} does not belong into an audit line")


def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(key)
