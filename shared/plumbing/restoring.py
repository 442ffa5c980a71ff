"""A database that a backup is being put back into is not to be served from before that is through."""

from shared.plumbing.database import Database

MARK = "restoring"
"""The collection that is there only meanwhile."""


async def refuse_half_restored(database: Database) -> None:
    """Raises SystemExit with what to do."""
    if MARK in await database.list_collection_names():
        raise SystemExit(
            f"the database {database.name} is half restored: a backup was being put back and that did not come to its "
            "end; run `./manyi restore` again (services with --replace, keys with --keys), then start again"
        )
