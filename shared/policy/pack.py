"""A policy pack: the documents of one company as data, each with its effective-dated versions (S4-01, S1-23, S1-24)."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Self

from pydantic import Field, TypeAdapter, model_validator

from shared.policy.declared import Declared, Key, Role, Sentence
from shared.policy.settings import Setting, Steps, Table, Titles

ROLES_KEY = "roles.titles"
"""The setting that maps a company's titles to roles; its roles are those that chains may name."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,39}$")]


class Version(Declared):
    """What a document says from a day on. The first version says everything, a later one what it amends or repeals.

    Announced before it takes effect (S1-23). Versions in force are not edited: an amendment is a new version.
    """

    version: Name
    announced: date
    effective_from: date
    settings: tuple[Setting, ...]
    repeals: tuple[Key, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.announced >= self.effective_from:
            raise ValueError(f"version {self.version} is announced before the day it takes effect (S1-23)")
        keys = [setting.key for setting in self.settings]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"version {self.version} sets {', '.join(twice)} twice")
        if both := sorted(set(keys) & set(self.repeals)):
            raise ValueError(f"version {self.version} both sets and repeals {', '.join(both)}")
        return self


class Document(Declared):
    """One controlled document. Responsible are roles, never people; what the document leaves blank is null."""

    document: Name
    zh: Sentence
    en: Sentence
    number: Annotated[str, Field(min_length=1, max_length=60)] | None
    executing_department: Role
    owner_department: Role
    drafter: Role
    reviewer: Role
    approver: Role
    released: date
    review_on: date
    versions: Annotated[tuple[Version, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        begins = [one.effective_from for one in self.versions]
        if begins != sorted(set(begins)):
            raise ValueError("versions stand in the order of their effective dates, no day twice")
        if len({one.version for one in self.versions}) != len(self.versions):
            raise ValueError("two versions have the same name")
        if self.review_on <= self.released:
            raise ValueError("a document is reviewed after its release")
        return self


@dataclass(frozen=True)
class Edition:
    """A document as it stands from one version on, amendments folded in."""

    pack: str
    document: str
    version: str
    effective_from: date
    content_hash: str
    settings: Mapping[str, Setting]

    @property
    def stamp(self) -> str:
        """What an event carries: pack, document, version and the first digits of the content's hash."""
        return f"{self.pack}/{self.document}/{self.version}@{self.content_hash[:8]}"

    @property
    def unset(self) -> list[str]:
        """What must be set before it can be used: keys, and rows of tables as `key[row]`."""
        found = [key for key, setting in self.settings.items() if setting.value is None]
        for key, setting in self.settings.items():
            if isinstance(setting, Table):
                found += [f"{key}[{row}]" for row, amount in (setting.value or {}).items() if amount is None]
        return found


class Pack(Declared):
    """The policies of one company."""

    pack: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    zh: Sentence
    en: Sentence
    documents: Annotated[tuple[Document, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if len({one.document for one in self.documents}) != len(self.documents):
            raise ValueError("two documents have the same name")
        owners: dict[str, str] = {}
        for document in self.documents:
            for key in {setting.key for version in document.versions for setting in version.settings}:
                if owners.setdefault(key, document.document) != document.document:
                    raise ValueError(f"{key} is set by both {owners[key]} and {document.document}")
        known = self._roles()
        for edition in self.editions():
            for setting in edition.settings.values():
                if isinstance(setting, Steps) and setting.value and (strange := setting.value.roles - known):
                    raise ValueError(f"{setting.key} names {', '.join(sorted(strange))}, not among {ROLES_KEY}")
        return self

    def _roles(self) -> frozenset[str]:
        found: set[str] = set()
        for edition in self.editions():
            titles = edition.settings.get(ROLES_KEY)
            found |= set((titles.value or {}).values()) if isinstance(titles, Titles) else set()
        return frozenset(found)

    @property
    def file(self) -> str:
        """The file's name among the packs."""
        return f"{self.pack}.yaml"

    def editions(self) -> Iterator[Edition]:
        """Every document in every version, in order. Raises ValueError where a version repeals what was never set."""
        for document in self.documents:
            settings: dict[str, Setting] = {}
            content = ""
            for version in document.versions:
                if absent := sorted(set(version.repeals) - settings.keys()):
                    raise ValueError(f"{version.version} repeals {', '.join(absent)}, which was not set")
                settings = {key: kept for key, kept in settings.items() if key not in version.repeals}
                settings |= {setting.key: setting for setting in version.settings}
                content = hashlib.sha256((content + _canonical(version)).encode()).hexdigest()
                yield Edition(
                    self.pack, document.document, version.version, version.effective_from, content, dict(settings)
                )


def _canonical(version: Version) -> str:
    return json.dumps(
        version.model_dump(mode="json", exclude_defaults=True),
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a pack, for editors and for other languages."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **TypeAdapter(Pack).json_schema()}
