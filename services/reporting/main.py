"""The reporting service, as one list: what it counts, hears and shows."""

import functools
import socket
from collections.abc import Sequence

from services.reporting.configuration import Definition, definitions, dimensions
from services.reporting.counting import PORTION, counter_of, shelves_of, topics_of
from services.reporting.metrics.catalogue import catalogue_of
from services.reporting.views import facts, metric_list, metric_numbers, stream, why
from services.reporting.views.asking import Counting, Office
from services.reporting.watermarks import Watermarks
from shared.contracts.catalogue import CATALOGUE, dead_letters_topic, events_topic, watermarks_topic
from shared.plumbing import dead_letter_routes
from shared.plumbing.app import Service
from shared.plumbing.audit.trail import open_audit
from shared.plumbing.clock import SystemClock
from shared.plumbing.committer import BatchCommitter
from shared.plumbing.database import Document, open_client
from shared.plumbing.dead_letters import DeadLetters
from shared.plumbing.generations import Generations
from shared.plumbing.keyring import LOOK_AT_KEYS_EVERY_S, ServiceSeal, open_keyring
from shared.plumbing.listening import Hearing
from shared.plumbing.news import NewsStream
from shared.plumbing.newsroom import Newsroom
from shared.plumbing.quarantine import prepare_quarantine
from shared.plumbing.recounting import Recount, Recounting
from shared.plumbing.relay import Relay
from shared.plumbing.settings import Settings
from shared.plumbing.shelves_mongo import MongoShelves
from shared.plumbing.standing import Standing
from shared.plumbing.store_mongo import MongoStore

LOOK_AT_LOGS_EVERY_S = 2.0
DROP_RETIRED_EVERY_S = 60.0
POST_EVERY_S = 0.1


def build(settings: Settings, counted: Sequence[Definition] | None = None) -> Service:
    """Compose the service, counting by these definitions (absent: by all); must be called inside the running loop."""
    client, clock = open_client(settings.mongo), SystemClock()
    database = client[f"{settings.database_prefix}reporting"]
    seal = ServiceSeal(settings)
    topics = topics_of(settings)
    countings, hearings, stores, recounts, sweeps, postings = {}, [], [], [], [], []
    prepare = [functools.partial(prepare_quarantine, database)]
    for definition in counted or definitions():
        catalogue = catalogue_of(definition)
        open_store = functools.partial(
            MongoStore,
            client,
            database,
            seal,
            name=definition.set_name,
            owner=settings.instance or socket.gethostname(),
        )
        store = open_store()
        counter = counter_of(catalogue, settings)
        committer = BatchCommitter(counter, store, clock, max_dead_letters_in_a_row=settings.max_dead_letters_in_a_row)
        group = f"reporting-{definition.set_name}"
        hearing = Hearing(group, topics, committer, committer.begins, PORTION, committer.take_all)
        committer.ask_bounds_of(hearing.bounds)
        hearings.append(hearing)
        postings.append(committer.post)
        stores.append(store)
        recounts.append(Recount(counter, open_store(), clock))
        prepare.append(functools.partial(store.prepare, shelves_of(catalogue)))
        sweeps.append(Generations(database, definition.set_name).sweep)
        countings[definition.label] = Counting(catalogue, MongoShelves(client, database, name=definition.set_name))
    office = Office(countings, dimensions().cuts)
    newsroom = Newsroom(NewsStream(database, [definition.set_name for definition in counted or definitions()]))
    audit = open_audit(settings, database, clock, "reporting")
    recounting = Recounting(database, recounts)
    keyring = open_keyring(client, settings, seal)
    letters = DeadLetters(database, keyring, clock, "reporting", dict.fromkeys(topics, recounting))
    watermarks = Watermarks(database, topics, hearings[-1].bounds)
    marks_topic = watermarks_topic(settings.topic_prefix)

    async def parked() -> int:
        return sum([await store.parked_records() for store in stores])

    async def waiting(most: int) -> list[Document]:
        return [gap for store in stores for gap in await store.gaps(most)][:most]

    async def look_at_logs() -> None:
        await watermarks.refresh_ends(lambda: hearings[-1].partitions(topics))

    async def drop_retired() -> None:
        for sweep in sweeps:
            await sweep(clock.now())

    return Service(
        name="reporting",
        settings=settings,
        client=client,
        database=database,
        audit=audit,
        description="Satisfaction, complaint, churn and repurchase numbers, exact and as of any day.",
        routers=[
            metric_list.routes(office),
            metric_numbers.routes(office, watermarks, settings.local_zone),
            why.routes(office),
            facts.routes(office),
            stream.routes(office, newsroom),
            dead_letter_routes.routes(letters),
        ],
        hearings=[*hearings, Hearing("reporting-watermarks", [marks_topic], watermarks)],
        hears_types={
            topic: tuple(
                entry.event
                for entry in CATALOGUE.values()
                if "reporting" in entry.listeners and events_topic(settings.topic_prefix, entry.speaker) == topic
            )
            for topic in topics
        },
        relay=Relay(
            client,
            database,
            clock,
            kafka=settings.kafka,
            events_topic=None,
            dead_letters_topic=dead_letters_topic(settings.topic_prefix),
            watermarks_topic=marks_topic,
            service="reporting",
            instance=settings.instance,
        ),
        prepare=[audit.prepare, *prepare],
        standing=Standing(database, settings.kafka, topics, counted=[store.cursors for store in stores]),
        chores=[
            *((POST_EVERY_S, post) for post in postings),
            (LOOK_AT_LOGS_EVERY_S, look_at_logs),
            (LOOK_AT_KEYS_EVERY_S, seal.look_again),
            (DROP_RETIRED_EVERY_S, drop_retired),
        ],
        parked=parked,
        waiting=waiting,
    )
