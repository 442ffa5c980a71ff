"""Evidence that a backup was taken, tried out or put back: a line in the audit of each service it holds (S1-07 备份).

The audit of a service belongs to it, but its chains are made for many writers: this process has one of its own, and a
checkpoint of it lies beside those of the services.
"""

from collections.abc import Mapping
from typing import Any, Literal

from shared.plumbing.audit.checkpoints import Checkpoints
from shared.plumbing.audit.trail import open_audit
from shared.plumbing.clock import SystemClock
from shared.plumbing.database import open_client
from shared.plumbing.settings import Settings

Action = Literal["backup.take", "backup.drill", "backup.restore"]
OPERATOR = "local"
"""Who may write to the database with the installation's key: the same caller as one without an issuer."""


async def note(settings: Settings, action: Action, backup: str, results: Mapping[str, tuple[bool, str]]) -> None:
    """Write down of each service that has a database here whether it went well and what came out.

    Raises PyMongoError and OSError.
    """
    client = open_client(settings.mongo)
    try:
        present = set(await client.list_database_names())
        for service, (well, result) in results.items():
            if (name := f"{settings.database_prefix}{service}") not in present:
                continue
            audit = open_audit(settings, client[name], SystemClock(), service)
            line: dict[str, Any] = {"actor": OPERATOR, "action": action, "objects": [backup], "reason": result}
            await audit.append([{**line, "decision": "done" if well else "failed"}])
            if settings.checkpoints is not None:
                await Checkpoints(audit, settings.checkpoints).write()
    finally:
        await client.close()
