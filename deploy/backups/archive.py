"""A backup on disk: one sealed file for each collection, and a signed manifest of what there must be (S1-07 备份).

A file is a row of chunks, each four bytes of length and then sealed bytes: the first holds options and indexes, the
others raw documents. The keys are derived from the installation's key and the name of the backup, so a file that is
damaged, exchanged, cut short or from elsewhere is found before anything is put back.
"""

import hashlib
import hmac
import itertools
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import bson
from pydantic import BaseModel, ConfigDict

from deploy.local.trouble import CannotContinue
from shared.plumbing.sealing import Seal, Unsealable, mark_of

FORMAT = 1
MANIFEST = "manifest.json"
DRAFT = f"{MANIFEST}.new"
NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
"""How the folder of a backup is called: when it was begun, and a few digits of chance."""
LENGTH_BYTES = 4
Kind = Literal["data", "keys"]


class Collected(BaseModel):
    """One collection: how many documents, in how many chunks, and the hash of the file they are in."""

    model_config = ConfigDict(frozen=True)
    documents: int
    chunks: int
    sha256: str


class Part(BaseModel):
    """One database at one moment: what is in it, and how far it had come.

    `position` is the time of the newest journal record, or else the next offset by partition for each set of numbers.
    """

    model_config = ConfigDict(frozen=True)
    collections: dict[str, Collected]
    position: dict[str, str | dict[str, int]] = {}

    @property
    def documents(self) -> int:
        return sum(one.documents for one in self.collections.values())


class Manifest(BaseModel):
    """What a backup is: when it was begun, of what, in which format, and which MongoDB it comes from."""

    model_config = ConfigDict(frozen=True)
    format: int
    backup: str
    kind: Kind
    begun: datetime
    installation: str
    mongo: str
    parts: dict[str, Part]


class Archive:
    """The files of one backup."""

    def __init__(self, folder: Path, backup: str, installation_key: bytes) -> None:
        self.folder = folder
        self.backup = backup
        self.installation_key = installation_key
        self._seal = Seal(_derived(installation_key, f"seal {backup}"))
        self._signing = _derived(installation_key, f"sign {backup}")
        self.installation = mark_of(_derived(installation_key, "installation")).hex()

    def write(self, part: str, collection: str, head: Mapping[str, Any], batches: Iterable[bytes]) -> Collected:
        """Write a collection from batches of raw documents. Raises OSError."""
        path = self._path(part, collection)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest, documents, chunks = hashlib.sha256(), 0, 0
        with _private(path) as file:
            for batch in itertools.chain([bson.encode(head)], filter(None, batches)):
                place = f"{self.backup}/{part}/{collection}/{chunks}"
                sealed = self._seal.close(zlib.compress(batch, 1), place)
                for piece in (len(sealed).to_bytes(LENGTH_BYTES, "little"), sealed):
                    digest.update(piece)
                    file.write(piece)
                documents += sum(1 for _ in apart(batch)) if chunks else 0
                chunks += 1
            file.flush()
            os.fsync(file.fileno())
        return Collected(documents=documents, chunks=chunks, sha256=digest.hexdigest())

    def read(self, part: str, collection: str, told: Collected) -> Iterator[bytes]:
        """Its head, then batches of raw documents. Raises CannotContinue for a chunk that is not what was written."""
        path = self._path(part, collection)
        with path.open("rb") as file:
            for chunk in range(told.chunks):
                sealed = file.read(int.from_bytes(file.read(LENGTH_BYTES), "little"))
                try:
                    yield zlib.decompress(self._seal.open_bytes(sealed, f"{self.backup}/{part}/{collection}/{chunk}"))
                except (Unsealable, zlib.error) as error:
                    raise _damaged(path) from error

    def finish(self, manifest: Manifest) -> None:
        """Sign and write the manifest: from now on this is a backup. Raises OSError."""
        draft = self.folder / DRAFT
        text = manifest.model_dump_json(indent=2)
        with _private(draft) as file:
            file.write(f"{text}\n{self._signature(text)}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / MANIFEST)

    def check(self, manifest: Manifest, text: str, signature: str) -> None:
        """Raises CannotContinue unless manifest and files are those that were written, by this installation."""
        if manifest.installation != self.installation:
            raise CannotContinue(
                f"{self.folder} is a backup of another installation: its installation_key is not the one of this key "
                "file. Put the one that belongs to it into the data directory, or name it in MANYI_KEYS_FILE, and the "
                "database in MANYI_MONGO."
            )
        if not hmac.compare_digest(self._signature(text).encode(), signature.encode()):
            raise _damaged(self.folder / MANIFEST)
        for part, told in manifest.parts.items():
            for collection, expected in told.collections.items():
                path = self._path(part, collection)
                if not path.exists() or _hash_of(path) != expected.sha256:
                    raise _damaged(path)

    def _path(self, part: str, collection: str) -> Path:
        return self.folder / part / f"{collection}.sealed"

    def _signature(self, text: str) -> str:
        return hmac.new(self._signing, text.encode(), hashlib.sha256).hexdigest()


def opened(folder: Path, installation_key: bytes, kind: Kind) -> tuple[Archive, Manifest]:
    """A backup that was checked to the last byte. Raises CannotContinue when it is none, foreign, newer or damaged."""
    manifest, text, signature = _manifest(folder)
    if manifest.kind != kind:
        raise CannotContinue(f"{folder} holds {manifest.kind}, not {kind}: keys and data are backed up apart.")
    archive = Archive(folder, manifest.backup, installation_key)
    archive.check(manifest, text, signature)
    return archive, manifest


def copies_of_keys(place: Path, installation_key: bytes) -> list[Path]:
    """Copies of this installation's keys in a place, also those that did not come to their end.

    Raises CannotContinue when other backups lie there, or what cannot be read.
    """
    found = [folder for folder in sorted(place.glob("*/")) if NAME.fullmatch(folder.name)]
    for folder in found:
        if not _is_of_keys(folder, installation_key):
            raise CannotContinue(
                f"{folder} is another backup, and of the keys only the newest copy stays in {place}: name a place for "
                "the keys of this installation alone with --keys-to."
            )
    return found


def newest(folder: Path) -> Path | None:
    """The backup in a directory that was begun last: names begin with the time."""
    return max((one.parent for one in folder.glob(f"*/{MANIFEST}")), default=None)


def apart(batch: bytes) -> Iterator[bytes]:
    """Raw documents that stand one after another, each beginning with its length."""
    place = 0
    while place < len(batch):
        end = place + int.from_bytes(batch[place : place + 4], "little")
        yield batch[place:end]
        place = end


def _is_of_keys(folder: Path, installation_key: bytes) -> bool:
    if not (folder / MANIFEST).exists():
        return {one.name for one in folder.iterdir()} <= {"keys", DRAFT}
    manifest, _, _ = _manifest(folder)
    ours = Archive(folder, manifest.backup, installation_key).installation
    return (manifest.kind, manifest.installation) == ("keys", ours)


def _manifest(folder: Path) -> tuple[Manifest, str, str]:
    path = folder / MANIFEST
    if not path.exists():
        raise CannotContinue(f"{folder} is no backup, or one that did not come to its end: it has no {MANIFEST}.")
    try:
        text, _, signature = path.read_text("utf-8").rstrip("\n").rpartition("\n")
        written = json.loads(text)
        if isinstance(written, dict) and written.get("format", FORMAT) != FORMAT:
            raise CannotContinue(
                f"{folder} has format {written['format']} and this version reads {FORMAT}: use the version of Manyi "
                "that wrote it."
            )
        return Manifest.model_validate_json(text), text, signature
    except ValueError as error:  # no UTF-8, no JSON, or not a manifest
        raise _damaged(path) from error


def _damaged(path: Path) -> CannotContinue:
    return CannotContinue(f"{path} is not as it was written: put another copy of this backup in its place.")


def _private(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _derived(installation_key: bytes, purpose: str) -> bytes:
    return hmac.new(installation_key, f"manyi backup v1 {purpose}".encode(), hashlib.sha256).digest()
