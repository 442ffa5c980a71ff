"""What every hand-written contestant shares: where things are, and the document that one event becomes.

The document is the one the reporting service stores for the same event, field by field, so that all write the same.
"""

import os
from typing import Any

KAFKA = os.environ.get("BENCH_KAFKA", "")
MONGO = os.environ.get("BENCH_MONGO", "")
TOPIC = os.environ.get("BENCH_TOPIC", "")
GROUP = os.environ.get("BENCH_GROUP", "")
DATABASE = os.environ.get("BENCH_DATABASE", "")
BATCH = int(os.environ.get("BENCH_BATCH", "2000"))
PARTITIONS = int(os.environ.get("BENCH_PARTITIONS", "12"))
COMMIT_S = int(os.environ.get("BENCH_COMMIT_MS", "500")) / 1000
"""How often progress is stored by who does so by the clock."""
STATE = os.environ.get("BENCH_STATE", "")
"""A folder of this contestant's own that outlives its process."""
MEMBER = "1"
"""Name in the group, the same after a restart: the successor of a killed process is not made to wait (KIP-345)."""
COLLECTION = "responses"
KEY = "subject" if os.environ.get("BENCH_IDS") == "database" else "_id"
"""Where the subject stands: it is the document's id, unless MongoDB gives one."""


def document(event: dict[str, Any]) -> dict[str, Any]:
    """The fact about one response."""
    said = event["data"]
    dims = {**said["dims"], "mode": said["mode"], "campaign": said["campaignId"]}
    return {
        KEY: event["subject"],
        "revision": event["revision"],
        "event": event["id"],
        "day": event["recordedtime"][:10],
        "born": event["recordedtime"][:10],
        "fact": {
            "day": event["time"][:10],
            "customer": said["customerId"],
            "dims": dims,
            "answers": [
                {
                    "question": answer["question"],
                    "factor": answer["factor"],
                    "rating": f"{answer['metric']}:{answer['scale'][0]}~{answer['scale'][1]}:{answer['value']}",
                }
                for answer in said["answers"]
            ],
            "scoring": said["scoring"],
            "index": said["index"],
            "late": said["late"],
        },
        "parked": [],
        "first": [event["revision"], event["id"], event["type"]],
    }
