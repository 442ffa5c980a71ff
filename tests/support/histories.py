"""Random histories of customers, responses and cases, as the three speakers would tell them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from aiokafka import TopicPartition
from hypothesis import strategies as st

from shared.contracts import customer, feedback
from shared.contracts.envelope import Event
from shared.contracts.survey import Answer, SurveyResponded
from tests.support.telling import Teller

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
PARTITIONS = 2

hours = st.integers(0, 120 * 24)
"""Since FIRST: about four months."""
RECORDED = 312 * 24
"""When recording begins, in such hours: in November, so that it goes on for months and into the next year."""


def moment(hour: int) -> datetime:
    return FIRST + timedelta(hours=hour)


dims = st.fixed_dictionaries(
    {"source": st.sampled_from(["shop", "desk"])},
    optional={"region": st.sampled_from(["east", "west"]), "colour": st.sampled_from(["red", "blue"])},
)
"""`colour` is not declared: such cuts come from the facts."""

answers = st.lists(
    st.builds(
        Answer,
        question=st.sampled_from(["q1", "q2"]),
        metric=st.sampled_from(["csat", "rating", "ces"]),
        value=st.integers(1, 5),
        scale=st.sampled_from([(1, 5), (1, 7)]),
    )
    | st.builds(
        Answer, question=st.just("q3"), metric=st.just("nps"), value=st.integers(0, 10), scale=st.just((0, 10))
    ),
    max_size=3,
)


@st.composite
def responses(draw: st.DrawFn) -> list[tuple[datetime, Event]]:
    said = SurveyResponded(
        response_id="s", answers=draw(answers), index=draw(st.none() | st.integers(0, 1_000_000)), dims=draw(dims)
    )
    return [(moment(draw(hours)), said)]


@st.composite
def cases(draw: st.DrawFn) -> list[tuple[datetime, Event]]:
    opening = draw(st.sampled_from([feedback.ComplaintOpened, feedback.ComplaintOpened, feedback.InquiryOpened]))
    opened = opening(
        case_id="s", opened_at=moment(draw(hours)), priority=draw(st.sampled_from(["1", "2"])), dims=draw(dims)
    )
    steps: list[Event] = [opened]
    for _ in range(draw(st.integers(0, 6))):
        at, cycle = moment(draw(hours)), draw(st.integers(1, 3))
        steps.append(
            draw(
                st.sampled_from(
                    [
                        feedback.CaseAcknowledged(case_id="s", cycle=cycle, at=at),
                        feedback.CaseResponded(case_id="s", cycle=cycle, at=at, human=draw(st.booleans())),
                        feedback.CaseResolved(case_id="s", cycle=cycle, at=at, time_known=draw(st.booleans())),
                        feedback.CaseReopened(case_id="s", cycle=cycle, at=at),
                        feedback.CaseClosed(
                            case_id="s",
                            at=at,
                            priority=draw(st.sampled_from(["1", "2", None])),
                            sla_kept=draw(st.sampled_from([True, False, None])),
                        ),
                    ]
                )
            )
        )
    return [(opened.opened_at, said) for said in steps]


@st.composite
def customers(draw: st.DrawFn) -> list[tuple[datetime, Event]]:
    said: list[Event] = [customer.CustomerCreated(customer_id="s", code="c")]
    for number in range(draw(st.integers(0, 7))):
        at = moment(draw(hours))
        order = {"customer_id": "s", "amount": draw(st.integers(0, 9)), "currency": "CNY", "occurred_at": at}
        contract = {"customer_id": "s", "contract_id": draw(st.sampled_from(["k1", "k2"]))}
        kind = draw(st.sampled_from(["order", "order", "order", "void", "refund", "sign", "change", "renew", "end"]))
        if kind == "order":
            said.append(customer.PurchaseRecorded(purchase_id=f"o{number}", dims=draw(dims), **order))
        elif kind == "void":
            said.append(customer.PurchaseCancelled(purchase_id=f"o{draw(st.integers(0, number))}", **order))
        elif kind == "refund":
            said.append(
                customer.PurchaseRefunded(
                    purchase_id=f"o{draw(st.integers(0, number))}", refunded=1, full=draw(st.booleans()), **order
                )
            )
        elif kind == "sign":
            ends = draw(st.none() | hours)
            said.append(
                customer.ContractSigned(
                    monthly_amount=draw(st.integers(0, 9)),
                    currency="CNY",
                    starts_at=at,
                    ends_at=None if ends is None else moment(ends),
                    dims=draw(dims),
                    **contract,
                )
            )
        elif kind == "change":
            said.append(
                customer.ContractChanged(monthly_amount=draw(st.integers(0, 9)), currency="CNY", at=at, **contract)
            )
        elif kind == "renew":
            ends = draw(st.none() | hours)
            said.append(customer.ContractRenewed(ends_at=None if ends is None else moment(ends), at=at, **contract))
        else:
            said.append(customer.ContractEnded(ended_at=at, **contract))
    return [(moment(0), event) for event in said]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[TopicPartition, dict[str, Any]]]:
    """Events with the partition of their subject, in an order that keeps each subject's revisions ascending."""
    lives: list[list[tuple[TopicPartition, dict[str, Any]]]] = []
    for topic, life in (
        ("customer-events", customers()),
        ("survey-events", responses()),
        ("feedback-events", cases()),
    ):
        for number in range(draw(st.integers(0, 3))):
            subject = f"{topic[:4]}{number}"
            place = TopicPartition(topic, crc32(subject.encode()) % PARTITIONS)
            teller, told, recorded = Teller(zone=draw(st.sampled_from([None, "America/Sao_Paulo"]))), [], 0
            for time, said in draw(life):
                recorded += draw(st.sampled_from([0, 12, 24, 36, 20 * 24]))
                told.append((place, teller.tell(subject, said, time=time, recorded=moment(RECORDED + recorded))))
            lives.append(told)
    order = draw(st.permutations([index for index, life in enumerate(lives) for _ in life]))
    return [lives[index].pop(0) for index in order]
