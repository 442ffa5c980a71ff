"""Who holds which post, who is above whom and who stands in for whom (S0-02, S0-03, S0-13, S0-16)."""

from typing import Annotated

from fastapi import APIRouter

from services.customer.desk import Desk
from services.customer.model.staff import Staff, existing
from services.customer.staffing import STORED, Staffing
from services.customer.views.customer_file import Shown
from shared.contracts.envelope import Code, Moment
from shared.plumbing.access import Permit, allowed, facts_of
from shared.plumbing.journal import Ledger, Loaded
from shared.policy.chart import Holder, names

DUTIES_KEY, SHARING_KEY = "teams.duties", "departments.sharing"


class ShownPost(Shown):
    """A post that is held; by `dueAt` it has to rotate. `supervisors` hold the next post above that is held."""

    post_id: str
    role: str
    unit: str
    since: Moment
    warn_at: Moment | None = None
    due_at: Moment | None = None
    supervisors: list[str] | None = None


class ShownSubstitution(Shown):
    """Who takes a role over, from when until when."""

    substitution_id: str
    substitute: str
    role: str
    since: Moment
    until: Moment


class ShownStaff(Shown):
    """One of our people, by an opaque id."""

    staff_id: str
    posts: list[ShownPost]
    substitutions: list[ShownSubstitution]


class ShownHolder(Shown):
    """Somebody in a post."""

    staff_id: str
    role: str
    unit: str


class ShownChart(Shown):
    """`line`: role → the role it reports to; `units`: department or team → where it belongs; `duties`: duty → team.

    `sharing`: what other departments contribute → which one does (S0-03).
    """

    line: dict[str, str]
    units: dict[str, str]
    duties: dict[str, str]
    sharing: dict[str, str]
    holders: list[ShownHolder]


def as_staff(state: Staff) -> ShownStaff:
    """One person's posts and substitutes."""
    return ShownStaff(
        staff_id=state.staff_id,
        posts=[ShownPost(post_id=name, **one.model_dump(exclude={"told"})) for name, one in state.posts.items()],
        substitutions=[ShownSubstitution(**one.model_dump()) for one in state.substitutions],
    )


def routes(ledger: Ledger, desk: Desk, staffing: Staffing) -> APIRouter:
    """GET /v1/organisation and /v1/staff/{staff_id}."""
    router = APIRouter(prefix="/v1", tags=["staff"])
    reading = allowed("staff.read", rows=True)

    @router.get("/organisation", summary="The chart: lines, units, duties of teams, and who holds which post")
    async def organisation(permit: Annotated[Permit, allowed("staff.read")]) -> ShownChart:
        chart, on = await staffing.chart(), desk.day(permit.now)
        duties, sharing = (dict(names(desk.policies, key, on)) for key in (DUTIES_KEY, SHARING_KEY))
        held = [ShownHolder(staff_id=one.person, role=one.role, unit=one.unit) for one in chart.holders]
        return ShownChart(line=dict(chart.line), units=dict(chart.units), duties=duties, sharing=sharing, holders=held)

    @router.get("/staff/{staff_id}", response_model_exclude_none=True, summary="One person's posts and substitutes")
    async def read_staff(staff_id: Code, permit: Annotated[Permit, reading]) -> ShownStaff:
        document = await ledger.database[STORED.collection].find_one({"_id": staff_id})
        loaded = Loaded[Staff](None) if document is None else await ledger.read_head(STORED, document)
        permit.on(facts_of(STORED, staff_id, loaded))
        shown, chart = as_staff(existing(loaded.state)), await staffing.chart()
        posts = [
            one.model_copy(update={"supervisors": list(chart.supervisors(Holder(staff_id, one.role, one.unit)))})
            for one in shown.posts
        ]
        return shown.model_copy(update={"posts": posts})

    return router
