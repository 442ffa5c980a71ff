"""A database as it was at one moment, and put back as a restored backup would."""

from shared.plumbing.database import Database, Document


class Backup:
    """The documents of every collection; indexes are made by who opens the database."""

    def __init__(self, collections: dict[str, list[Document]]) -> None:
        self._collections = collections

    @staticmethod
    async def of(database: Database) -> "Backup":
        names = await database.list_collection_names()
        return Backup({name: await database[name].find({}).to_list() for name in names})

    async def restore(self, database: Database) -> None:
        """Put all of it back; what came later is gone."""
        await database.client.drop_database(database.name)
        for name, documents in self._collections.items():
            if documents:
                await database[name].insert_many(documents)
