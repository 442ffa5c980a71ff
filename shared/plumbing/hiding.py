"""What is personal in a document: taken out, sealed with the key of its person when written, opened when read."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jiter

from shared.plumbing.database import Document
from shared.plumbing.keyring import Keyring
from shared.plumbing.sealing import MARK_BYTES, BlindIndex, Seal

Opened = dict[tuple[str, Any], dict[str, Any]]
"""(collection, id) → what was sealed in that document."""


@dataclass(frozen=True)
class Hidden:
    """What is sealed when it is written: into which field of which document, and whose it is, within whose circle.

    `person` None is what cannot be attributed to anybody yet: it is closed with the service's own key.
    """

    document: Document
    field: str
    content: Mapping[str, Any] | bytes
    place: str
    person: str | None
    key: str | None = None

    @property
    def within(self) -> str | None:
        """In whose circle the person is, if it is not at its centre: forgotten together with it."""
        return None if self.person == self.key else self.key


def hide(document: Document, private: frozenset[str], place: str, person: str | None, key: str | None) -> list[Hidden]:
    """Take the private fields out of the document; nothing is left to seal when they are all empty."""
    content = {name: document.pop(name) for name in private if name in document}
    if all(value is None or value == {} for value in content.values()):
        return []
    return [Hidden(document, "sealed", content, place, person, key)]


def mark(index: BlindIndex, document: Document, normal_forms: Mapping[str, Callable[[str], str]]) -> None:
    """Note in `document["blind"]` the tags by which its private fields, still plain, can be found again."""
    values = ((field, normal(document[field])) for field, normal in normal_forms.items() if document.get(field))
    tags = [index.tag(field, value) for field, value in values if value]
    if tags:
        document["blind"] = tags


async def close(keyring: Keyring, hidden: Sequence[Hidden]) -> list[Document]:
    """Seal everything into its document; answers the keys that were made for it and are still to be added."""
    persons = {one.person: one.within for one in hidden if one.person is not None}
    keys, made = await keyring.closing(persons) if persons else ({}, [])
    for one in hidden:
        seal = keyring.seal if one.person is None else keys[one.person]
        one.document[one.field] = seal.close(one.content, one.place)
        if one.person is not None:
            one.document["person"] = one.person
    return made


async def open_documents(keyring: Keyring, documents: Iterable[tuple[str, Document]]) -> Opened:
    """What is sealed in documents of the named collections; empty where nothing is, or where it was erased.

    Raises Unsealable for what was edited or belongs to another installation.
    """
    closed = [(name, document) for name, document in documents if document.get("sealed") is not None]
    keys = await _keys(keyring, [document for _, document in closed])
    opened: Opened = defaultdict(dict)
    for name, document in closed:
        plain = _open(keyring, document, f"{name}/{document['_id']}", keys)
        opened[name, document["_id"]] = {} if plain is None else jiter.from_json(plain)
    return opened


async def open_payloads(keyring: Keyring, collection: str, documents: Sequence[Document]) -> list[bytes | None]:
    """The bytes sealed in each document; None where their person was erased. Raises Unsealable."""
    keys = await _keys(keyring, documents)
    return [_open(keyring, document, f"{collection}/{document['_id']}", keys) for document in documents]


async def _keys(keyring: Keyring, documents: Iterable[Document]) -> dict[str, Seal]:
    closed = [(document["person"], document["sealed"]) for document in documents if "person" in document]
    return await keyring.opening(closed) if closed else {}


def _open(keyring: Keyring, document: Document, place: str, keys: Mapping[str, Seal]) -> bytes | None:
    sealed: bytes = document["sealed"]
    if "person" not in document:
        return keyring.seal.open_bytes(sealed, place)
    key = keys.get(document["person"])
    if key is None or key.mark != sealed[:MARK_BYTES]:  # erased, and perhaps known anew since
        return None
    return key.open_bytes(sealed, place)
