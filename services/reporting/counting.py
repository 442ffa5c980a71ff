"""How this service counts by one definition; alike for who counts live and for who counts anew."""

from services.reporting.configuration import dimensions
from services.reporting.metrics.catalogue import Catalogue
from shared.contracts.catalogue import CATALOGUE, events_topic
from shared.plumbing.counting import UNPROJECTED, Counter
from shared.plumbing.listening import Portion
from shared.plumbing.reading import Reader
from shared.plumbing.settings import Settings

PORTION = Portion(24_000, 384 * 1024)
"""Much at once, and of every partition: what they all say of one day is one sum."""
SPEAKERS = ("customer", "survey", "feedback")


def topics_of(settings: Settings) -> list[str]:
    """What is counted."""
    return [events_topic(settings.topic_prefix, speaker) for speaker in SPEAKERS]


def counter_of(catalogue: Catalogue, settings: Settings) -> Counter:
    """Every event type we know, folded by the catalogue's projections into the declared cuts."""
    types = [entry.event for entry in CATALOGUE.values()]
    reader = Reader(types, catalogue.projections, settings.local_zone)
    return Counter(reader, catalogue.projections, dimensions().cuts, settings.local_zone)


def shelves_of(catalogue: Catalogue) -> list[str]:
    """Where pages stand."""
    return [*(projection.name for projection in catalogue.projections), UNPROJECTED]
