"""All that is counted: the projections and metrics under one definition."""

from dataclasses import dataclass

from services.reporting.configuration import Definition
from services.reporting.metrics import churn, complaints, purchases, satisfaction
from services.reporting.metrics.cases import Cases
from services.reporting.metrics.customers import Customers
from services.reporting.metrics.metric import Metric
from services.reporting.metrics.responses import Responses
from shared.plumbing.projection import Projection


@dataclass(frozen=True)
class Catalogue:
    """One definition, the projections that count by it, the metrics that are read from them."""

    definition: Definition
    projections: tuple[Projection, ...]
    metrics: dict[str, Metric]


def catalogue_of(definition: Definition) -> Catalogue:
    """Everything under a definition."""
    responses, cases, customers = Responses(), Cases(definition), Customers(definition)
    metrics = (
        *satisfaction.metrics(responses, definition),
        *complaints.metrics(cases, definition),
        *churn.metrics(customers.activity, customers.name, definition.z),
        *purchases.metrics(customers.purchases, customers.name, definition.z),
    )
    return Catalogue(definition, (responses, cases, customers), {metric.name: metric for metric in metrics})
