"""Private fields at rest: AES-256-GCM, bound to where they are stored."""

import os
from collections.abc import Mapping
from typing import Any

import jiter
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Unsealable(Exception):
    """The sealed bytes do not belong to this key and place: wrong key file, or edited data."""


class Seal:
    """Seals JSON-able mappings with one key. `place` (such as collection and id) is authenticated with them."""

    def __init__(self, master_key: bytes) -> None:
        self._cipher = AESGCM(master_key)

    def close(self, content: Mapping[str, Any] | bytes, place: str) -> bytes:
        plain = content if isinstance(content, bytes) else orjson.dumps(content)
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def open_bytes(self, sealed: bytes, place: str) -> bytes:
        """Raises Unsealable when key or place are not those of `close`."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise Unsealable(f"the private part of {place} cannot be opened with this installation's key") from error

    def open(self, sealed: bytes | None, place: str) -> dict[str, Any]:
        """The mapping that was closed; nothing sealed is an empty one."""
        if sealed is None:
            return {}
        content: dict[str, Any] = jiter.from_json(self.open_bytes(sealed, place))
        return content
