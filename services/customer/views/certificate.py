"""Certificates of erasure: what was destroyed, where, and when the last copy expires. Read back from the journal."""

from typing import Any

import orjson
from fastapi import APIRouter

from services.customer.views.customer_file import Shown
from shared.contracts.customer import ErasureCompleted
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import allowed
from shared.plumbing.journal import Ledger
from shared.plumbing.keyring import CACHED_S


class Certificate(Shown):
    """Of a customer, in all `files` that are one with the customer's, or of one contact; in words, `statement`."""

    request_id: str
    customer_id: str
    contact_id: str | None = None
    completed_at: Moment
    services: list[str]
    files: list[str] = []
    intake_empty_at: Moment
    quarantine_empty_at: Moment
    statement: dict[str, str]


def as_certificate(event: ErasureCompleted) -> dict[str, Any]:
    """The certificate that an erasure earns, as JSON."""
    files = "、".join(event.files or [event.customer_id])
    intake, quarantine = (f"{one:%Y-%m-%d %H:%M} UTC" for one in (event.intake_empty_at, event.quarantine_empty_at))
    statement = {
        "zh": (
            f"档案 {files}：个人密钥已销毁，{'、'.join(event.services)} 各服务及其日志、备份中的个人信息均无法再读取"
            f"（进程内存至多 {CACHED_S:.0f} 秒）。接收主题中的原始消息最迟于 {intake} 过期；"
            f"尚未归属到本人的隔离记录最迟于 {quarantine} 过期。统计数据不含个人信息，保持不变。"
        ),
        "en": (
            f"Files {', '.join(event.files or [event.customer_id])}: the person's key is destroyed. Nothing personal "
            f"can be read any more in the services {', '.join(event.services)}, their journals and backups (a process "
            f"remembers a key for {CACHED_S:.0f} s at most). Raw messages on intake topics expire by {intake}; "
            f"quarantined records that could not be attributed to the person expire by {quarantine}. Statistics hold "
            "nothing personal and stay as they are."
        ),
    }
    shown = Certificate.model_validate({**event.model_dump(), "statement": statement})
    return shown.model_dump(mode="json", by_alias=True, exclude_none=True)


def routes(ledger: Ledger) -> APIRouter:
    """GET /v1/customers/{customer_id}/erasures."""
    router = APIRouter(prefix="/v1/customers", tags=["privacy"])

    @router.get(
        "/{customer_id}/erasures",
        response_model_exclude_none=True,
        summary="Certificates of erasure",
        dependencies=[allowed("customer.export")],
    )
    async def erasures(customer_id: Code) -> list[Certificate]:
        query = {"subject": customer_id, "type": ErasureCompleted.TYPE}
        records = await ledger.database["journal"].find(query, {"event": 1}).sort("revision", 1).to_list()
        events = [ErasureCompleted.model_validate(orjson.loads(one["event"])["data"]) for one in records]
        return [Certificate.model_validate(as_certificate(event)) for event in events]

    return router
