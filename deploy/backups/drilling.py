"""A drill: a backup is put back beside the live databases, held against its manifest, audited, and removed again."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from deploy.backups.archive import Archive, Manifest, opened
from deploy.backups.putting_back import emptied, pour
from shared.plumbing.audit.chains import AuditKeys
from shared.plumbing.audit.verify import verify
from shared.plumbing.database import Client, open_client


@dataclass(frozen=True)
class Drilled:
    """What came of one service: documents and audited lines that were found again, and what was wrong."""

    documents: int
    lines: int
    findings: list[str]


async def drill(mongo: str, prefix: str, installation_key: bytes, folder: Path) -> tuple[str, dict[str, Drilled]]:
    """Try a backup out beside running services; answers its name, and what came of each service.

    Raises CannotContinue when it is not even sound, and PyMongoError.
    """
    archive, manifest = await asyncio.to_thread(opened, folder, installation_key, "data")
    client = open_client(mongo)
    try:
        return manifest.backup, {
            service: await _drilled(client, mongo, f"{prefix}drill-{service}", archive, manifest, service)
            for service in manifest.parts
        }
    finally:
        await client.close()


async def _drilled(
    client: Client, mongo: str, scratch: str, archive: Archive, manifest: Manifest, service: str
) -> Drilled:
    part = manifest.parts[service]
    try:
        await asyncio.to_thread(_put_there, mongo, scratch, archive, manifest, service)
        found = {name: await client[scratch][name].count_documents({}) for name in part.collections}
        wrong = [
            f"{name} has {found[name]:,} documents and had {told.documents:,}"
            for name, told in part.collections.items()
            if found[name] != told.documents
        ]
        # Without checkpoints: those of the live service tell of lines that came after the backup.
        report = await verify(client[scratch], AuditKeys(archive.installation_key, service), None)
        wrong += [f"{finding.kind}: {finding.where}" for finding in report.findings]
        return Drilled(sum(found.values()), report.lines, wrong)
    finally:
        await client.drop_database(scratch)


def _put_there(mongo: str, scratch: str, archive: Archive, manifest: Manifest, service: str) -> None:
    """Blocking. What would expire stays: it is counted."""
    with MongoClient[dict[str, Any]](mongo) as client, emptied([client[scratch]], manifest.backup):
        pour(archive, service, manifest.parts[service], client[scratch], expiring=False)
