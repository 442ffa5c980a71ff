"""How a statement about a customer becomes a task on its file."""

from collections.abc import Callable, Sequence

from services.customer.model.customer import Customer
from services.customer.model.files import About
from services.customer.views.customer_file import STORED
from shared.contracts.decision import Said, Scene
from shared.contracts.intake import Customer as CustomerRef
from shared.contracts.intake import ExternalId
from shared.plumbing.identity import Identity
from shared.plumbing.intake import Heard
from shared.plumbing.journal import Task

Rule = Callable[[Customer | None], Sequence[Said]]


def about(identity: Identity, heard: Heard, customer: CustomerRef) -> About:
    """Who an intake event speaks of: a bare id belongs to the event's own source."""
    owner = customer if isinstance(customer, ExternalId) else ExternalId(source=heard.source, id=customer)
    return About(
        customer_id=identity.customer(owner.source, owner.id),
        source=heard.source,
        external_id=owner.id,
        time=heard.time,
        timezone=heard.timezone,
    )


def task(customer_id: str, rule: Rule, **parts: str) -> Task[Customer]:
    """A task on one file that needs the named parts (field name = part id) beside the head."""

    def decide(state: Customer | None, _scene: Scene) -> Sequence[Said]:
        return rule(state)

    wanted = {name: frozenset({identifier}) for name, identifier in parts.items()}
    return Task(STORED, customer_id, decide, wanted)
