"""Private fields at rest: AES-256-GCM, bound to where they are stored and marked with the key that closed them."""

import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Any

import jiter
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MARK_BYTES = 8
"""The first bytes of the SHA-256 of a key: they tell which key closed something, and nothing about the key."""
NONCE_BYTES = 12


class Unsealable(Exception):
    """The sealed bytes do not belong to this key and place: wrong key file, or edited data."""


class Seal:
    """Seals JSON-able mappings with one key. `place` (such as collection and id) is authenticated with them.

    What was closed with one of the `previous` keys can still be opened. Layout: mark of the key, nonce, ciphertext.
    """

    def __init__(self, key: bytes, *previous: bytes) -> None:
        self.replace(key, *previous)

    def replace(self, key: bytes, *previous: bytes) -> None:
        """Close with this key from now on."""
        self._ciphers = {mark_of(one): AESGCM(one) for one in (key, *previous)}
        self.mark = next(iter(self._ciphers))

    def close(self, content: Mapping[str, Any] | bytes, place: str) -> bytes:
        plain = content if isinstance(content, bytes) else orjson.dumps(content)
        nonce = os.urandom(NONCE_BYTES)
        return self.mark + nonce + self._ciphers[self.mark].encrypt(nonce, plain, place.encode())

    def open_bytes(self, sealed: bytes, place: str) -> bytes:
        """Raises Unsealable when key or place are not those of `close`."""
        nonce, hidden = sealed[MARK_BYTES : MARK_BYTES + NONCE_BYTES], sealed[MARK_BYTES + NONCE_BYTES :]
        try:
            return self._ciphers[sealed[:MARK_BYTES]].decrypt(nonce, hidden, place.encode())
        except (KeyError, InvalidTag, ValueError) as error:
            raise Unsealable(f"the private part of {place} cannot be opened with this installation's key") from error

    def open(self, sealed: bytes | None, place: str) -> dict[str, Any]:
        """The mapping that was closed; nothing sealed is an empty one."""
        if sealed is None:
            return {}
        content: dict[str, Any] = jiter.from_json(self.open_bytes(sealed, place))
        return content


def mark_of(key: bytes) -> bytes:
    """What marks everything that this key closed."""
    return hashlib.sha256(key).digest()[:MARK_BYTES]


class BlindIndex:
    """Finds sealed values again by equality: HMAC-SHA-256 under a key of its own over kind and normalised value."""

    def __init__(self, installation_key: bytes) -> None:
        self._key = hmac.new(installation_key, b"manyi blind index v1", hashlib.sha256).digest()

    def tag(self, kind: str, value: str) -> bytes:
        """16 bytes; equal for equal values of one kind, and without the key no guess can be tested."""
        return hmac.new(self._key, f"{len(kind)}:{kind}{value}".encode(), hashlib.sha256).digest()[:16]
