"""Ids that every service computes alike, so nobody waits for anybody (ARCHITECTURE §3)."""

import hashlib
import hmac


class Identity:
    """Names foreign things: HMAC-SHA-256 over kind, source and external id, keyed per installation."""

    def __init__(self, installation_key: bytes) -> None:
        self._begun = hmac.new(installation_key, digestmod=hashlib.sha256)

    def of(self, kind: str, source: str, external_id: str) -> str:
        """128-bit hexadecimal id; without the key nobody can test a guess of the external id."""
        # With their lengths, so that no character inside a name can move the border between two of them.
        text = f"{len(kind)}:{kind}{len(source)}:{source}{external_id}".encode()
        named = self._begun.copy()
        named.update(text)
        return named.hexdigest()[:32]

    def customer(self, source: str, external_id: str) -> str:
        """The customer id of (source, external id)."""
        return self.of("customer", source, external_id)
