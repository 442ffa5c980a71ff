"""Rules of posts: who may give which, what ends with one, and when it has to rotate (S0-13, S0-16, S0-20)."""

from datetime import date, datetime

from services.customer.model.staff import HeldPost, Staff, existing
from services.customer.model.substitutes import dismissed
from shared.contracts import staff as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.policy.calendar.reckoning import months_later
from shared.policy.chart import UNITS_KEY, Chart, Holder
from shared.policy.policies import LimitUnset, Policies


class PostUnknown(NotFound):
    SLUG = "post-unknown"


class PostHeldAlready(Refusal):
    SLUG = "post-held-already"


class PostImpossible(Invalid):
    SLUG = "post-impossible"


class PostToOneself(Refusal):
    STATUS = 403
    SLUG = "post-to-oneself"


def take_post(
    state: Staff | None,
    post_id: str,
    wanted: Holder,
    since: datetime,
    by: str,
    policies: Policies,
    on: date,
    now: datetime,
) -> list[Said]:
    """Somebody holds a post from now on, or since some time.

    Raises PostToOneself, PostImpossible, PostHeldAlready, LimitUnset while no pack says which units there are.
    """
    staff_id, role, unit = wanted
    if by == staff_id:
        raise PostToOneself("nobody gives himself a post; somebody else with staff.assign has to")
    units = policies.value(UNITS_KEY, on)
    if unit not in {*units.value, *units.value.values()} or role not in policies.titles(on).values():
        raise PostImpossible(f"{role} in {unit} is no post: name a role of roles.titles and a unit of {UNITS_KEY}")
    if since > now:
        raise PostImpossible("a post is held from now on or since some time; enter it when it begins")
    if state is not None and any((one.role, one.unit) == (role, unit) for one in state.posts.values()):
        raise PostHeldAlready(f"{staff_id} is {role} in {unit} already; there is nothing more to do")
    times, version = _rotation(policies, on, since)
    event = said.PostTaken(staff_id=staff_id, post_id=post_id, role=role, unit=unit, since=since, **times)
    return [Said(event, now, policy_version=version or units.version)]


def leave_post(state: Staff | None, post_id: str, now: datetime) -> list[Said]:
    """A post is held no more; what it was substituted in ends with it. Raises StaffUnknown, PostUnknown."""
    known = existing(state)
    post = known.posts.get(post_id)
    if post is None:
        raise PostUnknown(f"{known.staff_id} holds no post {post_id}; GET /v1/staff/{known.staff_id} shows which")
    left = said.PostLeft(staff_id=known.staff_id, post_id=post_id, role=post.role, unit=post.unit, at=now)
    still = {one.role for name, one in known.posts.items() if name != post_id}
    ended = [one for one in known.substitutions if one.role not in still and one.until > now]
    return [Said(left, now), *(dismissed(known, one, now) for one in ended)]


def call_for_rotation(state: Staff | None, chart: Chart, now: datetime) -> list[Said]:
    """What has come of the posts' time; told once each, to whoever is next above (S0-20)."""
    if state is None:
        return []
    return [
        _called_for(state, name, post, chart, now)
        for name, post in sorted(state.posts.items())
        if post.next_at is not None and post.next_at <= now
    ]


def _called_for(state: Staff, post_id: str, post: HeldPost, chart: Chart, now: datetime) -> Said:
    due = post.due_at or now
    event = said.RotationCalledFor(
        staff_id=state.staff_id,
        post_id=post_id,
        role=post.role,
        unit=post.unit,
        since=post.since,
        due_at=due,
        overdue=now >= due,
        people=list(chart.supervisors(Holder(state.staff_id, post.role, post.unit))),
    )
    return Said(event, now)


def _rotation(policies: Policies, on: date, since: datetime) -> tuple[dict[str, datetime], str | None]:
    """When a post's time is over and when to say so: by then, so a last day off does not put it off."""
    try:
        (every, version), (warn, _) = (policies.span(key, on) for key in ("rotation.every", "rotation.warn"))
        calendar = policies.calendar(on)
    except LimitUnset:
        return {}, None
    first = calendar.local_day(since)

    warn_at, due_at = (calendar.end_of(months_later(first, span.months)) for span in (warn, every))
    return {"warn_at": warn_at, "due_at": due_at}, version
