"""All metrics with their definitions, and all dimensions that are kept ready."""

from typing import Any

from fastapi import APIRouter

from services.reporting.configuration import dimensions
from services.reporting.views.asking import Office
from shared.plumbing.access import allowed


def routes(office: Office) -> APIRouter:
    """The list."""
    router = APIRouter(tags=["metrics"])

    @router.get(
        "/v1/metrics",
        summary="Every metric: names, unit, formula, definitions; and the dimensions kept ready",
        dependencies=[allowed("metric.read")],
    )
    async def metric_list() -> dict[str, Any]:
        metrics: dict[str, dict[str, Any]] = {}
        for label, counting in office.countings.items():
            for metric in counting.catalogue.metrics.values():
                listed = metrics.setdefault(
                    metric.name,
                    {
                        "metric": metric.name,
                        "names": {"en": metric.en, "zh": metric.zh},
                        "unit": metric.unit,
                        "clause": f"METRICS {metric.clause}",
                        "definitions": {},
                        "narrowed_by": sorted(metric.named),
                    },
                )
                listed["definitions"][label] = metric.formula
        return {
            "metrics": list(metrics.values()),
            "dimensions": {
                name: {"names": named.model_dump()} for name, named in sorted(dimensions().dimensions.items())
            },
            "definitions": {
                label: counting.catalogue.definition.model_dump() for label, counting in office.countings.items()
            },
        }

    return router
