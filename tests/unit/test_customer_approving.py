"""A request in a file whose chain escalates: told once to the policy's role, and still to be decided."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from services.customer.model import key_changes, merge_requests
from services.customer.model.customer import Customer
from services.customer.model.file_after import evolve
from services.customer.model.parts import KeyChange, MergeRequest
from shared.contracts.decision import Said
from shared.policy.approvals.approval import Approval
from shared.policy.approvals.approval import evolve as begun
from shared.policy.approvals.chain import Route
from shared.policy.approvals.moves import Request, Submitted

DUE = datetime(2026, 3, 11, 16, tzinfo=UTC)
Lapse = Callable[[Customer | None, str, datetime], list[Said]]


def asked(kind: str) -> Approval:
    route = Route(steps=("director",), versions=("test@1",), on_expiry="escalate", escalate_to="coo")
    request = Request(approval_id="r", kind=kind, requester="staff-1")
    sent = Submitted(at=DUE - timedelta(days=7), request=request, route=route, due_at=DUE)
    return begun(None, sent)


@pytest.mark.policy("S2-19", "S2-15")
@pytest.mark.parametrize("lapse", [key_changes.lapse, merge_requests.lapse])
def test_who_decides_late_is_told_of_once_and_still_decides(lapse: Lapse) -> None:
    state: Customer | None = Customer(
        customer_id="c",
        code="X2026-03",
        key_changes={"r": KeyChange(fields=["company"], approval=asked("key-change"))},
        merge_requests={"r": MergeRequest(merged_id="d", approval=asked("merge"))},
    )
    assert lapse(state, "r", DUE - timedelta(seconds=1)) == []
    (said,) = lapse(state, "r", DUE)
    assert said.event.model_dump(include={"step", "to"}) == {"step": 0, "to": "coo"}
    state = evolve(state, said.event, said.private)
    assert lapse(state, "r", DUE + timedelta(days=1)) == []
    assert state.key_changes["r"].approval.waiting_for == "director"
    assert state.merge_requests["r"].approval.waiting_for == "director"
