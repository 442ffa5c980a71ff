"""The public keys of the token issuer: read from a file or a URL, kept, and read again when a token names a new one."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, OctKey

from shared.plumbing.telemetry import logger

READ_AGAIN_AFTER_S = 600.0
"""A key that the issuer took back is forgotten after this at the latest."""
NOT_SOONER_THAN_S = 10.0
"""Whoever sends tokens with invented key ids cannot make us ask the issuer more often than this."""
PATIENCE_S = 5.0
MAX_BYTES = 256 * 1024
log = logger("access")


class KeysUnavailable(Exception):
    """The issuer's keys cannot be read and none are known from before."""


class IssuerKeys:
    """Keys by id (`kid`) from one place. Without a fresh answer the keys known before stay valid.

    Raises ValueError for a place over which anybody on the way could put keys of his own.
    """

    def __init__(self, place: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(place)
        self._remote = parts.scheme in ("http", "https")
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError(f"MANYI_JWKS is a file, or read over https, or over http from this machine; not {place}")
        self._place = place
        self._monotonic = monotonic
        self._keys: dict[str, Key] = {}
        self._read_at: float | None = None
        self._lock = asyncio.Lock()

    async def key(self, kid: str) -> Key | None:
        """The key of that id, None when the issuer has none. Raises KeysUnavailable."""
        wait = READ_AGAIN_AFTER_S if kid in self._keys else NOT_SOONER_THAN_S
        if self._age() >= wait:
            async with self._lock:
                if self._age() >= wait:
                    await self._read()
        if not self._keys:
            raise KeysUnavailable(f"no keys of the token issuer can be read from {self._place}")
        return self._keys.get(kid)

    def _age(self) -> float:
        return float("inf") if self._read_at is None else self._monotonic() - self._read_at

    async def _read(self) -> None:
        self._read_at = self._monotonic()
        try:
            self._keys = public_keys(await asyncio.to_thread(self._fetch))
        except (OSError, ValueError) as error:
            log.warning("keys of the token issuer cannot be read", place=self._place, error=type(error).__name__)

    def _fetch(self) -> bytes:
        if not self._remote:
            return Path(self._place).read_bytes()
        with urllib.request.urlopen(self._place, timeout=PATIENCE_S) as answer:  # noqa: S310 - the scheme was checked
            content: bytes = answer.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError("the JWKS document is too large")
        return content


def public_keys(document: bytes) -> dict[str, Key]:
    """The usable signature keys of a JWKS document by id; others (symmetric, unnamed, unknown) are passed over.

    Raises ValueError when it is no JWKS document.
    """
    content = json.loads(document)
    entries = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise ValueError("a JWKS document is an object with a list of keys")  # noqa: TRY004 - a document, not a value
    found: dict[str, Key] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str) or entry.get("use", "sig") != "sig":
            continue
        try:
            key = JWKRegistry.import_key(entry)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if not isinstance(key, OctKey):
            found[entry["kid"]] = key
    return found
