"""Signed checkpoints outside the database: how far each chain had come, so that a cut-off end is found (S0-05).

One file per process, one JSON object a line; each names the hash of the line before and is signed with Ed25519. Copy
them to where the database's administrators cannot write: what was exported cannot be taken back unnoticed.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature

from shared.contracts.envelope import moment_text
from shared.plumbing.audit.chains import AuditKeys
from shared.plumbing.audit.trail import Audit


class Checkpoints:
    """Writes the checkpoints of one process."""

    def __init__(self, audit: Audit, folder: Path) -> None:
        self._audit = audit
        self._keys = audit.keys
        self._file = folder / f"{self._keys.service}-{audit.journal.name}.jsonl"
        self._before = ""
        self._told: dict[str, tuple[int, bytes]] = {}

    async def write(self) -> None:
        """Append one line if anything was audited since the last. Raises OSError."""
        heads = dict(self._audit.heads)
        moved = {name: head for name, head in heads.items() if self._told.get(name) != head}
        if not moved:
            return
        content: dict[str, Any] = {
            "service": self._keys.service,
            "at": moment_text(self._audit.clock.now()),
            "before": self._before,
            "chains": {name: [seq, mac.hex()] for name, (seq, mac) in moved.items()},
        }
        line = orjson.dumps({**content, "signature": self._keys.signing.sign(_signed(content)).hex()})
        await asyncio.to_thread(_append, self._file, line)
        self._before = hashlib.sha256(line).hexdigest()
        self._told = heads


def read_checkpoints(folder: Path, keys: AuditKeys) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Every line of the service's files: where it stands, and its content; None for one that was changed or displaced.

    A last line without its end is what a killed process leaves: it is passed over.
    """
    for path in sorted(folder.glob(f"{keys.service}-*.jsonl")):
        before = ""
        *lines, _unfinished = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            content = _content(line, keys)
            sound = content is not None and content["before"] == before and content["service"] == keys.service
            yield f"{path.name}:{number}", content if sound else None
            before = hashlib.sha256(line).hexdigest()


def _content(line: bytes, keys: AuditKeys) -> Mapping[str, Any] | None:
    try:
        content: dict[str, Any] = orjson.loads(line)
        signature = bytes.fromhex(content.pop("signature"))
        keys.signing.public_key().verify(signature, _signed(content))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
        return None
    return content


def _signed(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
