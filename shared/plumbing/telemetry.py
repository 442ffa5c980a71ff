"""Logs as JSON lines with a correlation id, and counters for Prometheus."""

import logging
import sys

import structlog
from prometheus_client import Counter, Gauge, Histogram

TAKEN = Counter("manyi_intake_total", "Intake events by outcome", ["type", "outcome"])
RELAYED = Counter("manyi_relayed_total", "Journal events acknowledged by Kafka", ["topic"])
COUNTED = Counter("manyi_projected_total", "Records behind the cursors", ["topic"])
QUARANTINED = Counter("manyi_quarantined_total", "Records that could not be read", ["topic"])
SET_ASIDE = Gauge("manyi_set_aside", "Records in no number yet: dead letters, parked, early", ["state"])
LAG = Gauge("manyi_lag", "Records not yet taken, by consumer group", ["group"])
BATCH_SECONDS = Histogram("manyi_batch_seconds", "One batch from hand-over to commit", ["group"])


def configure_logging(level: str, service: str) -> None:
    """One JSON object a line on standard error; the standard library's loggers go the same way."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiokafka", "uvicorn.access", "pymongo", "kafka"):
        logging.getLogger(noisy).setLevel("WARNING")
    structlog.contextvars.bind_contextvars(service=service)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that says which part speaks."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(part=name)
    return bound
