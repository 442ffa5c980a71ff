"""Rules: the days of a customer and of the people there, and the greetings on them and on holidays (S1-19)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from services.customer.model.consenting import GREETING, Purposes, unless_unwilling
from services.customer.model.contacts import ContactUnknown
from services.customer.model.customer import Customer
from services.customer.model.files import unless_erased
from services.customer.model.yearly import HOLIDAYS, YearlyDay, kept_on
from shared.contracts import care as said
from shared.contracts.decision import Invalid, NotFound, Refusal, Said
from shared.policy.policies import Policies

Outcome = Literal["greeted", "skipped"]


class CareDayUnknown(NotFound):
    SLUG = "care-day-unknown"


class OccasionUnknown(Invalid):
    SLUG = "occasion-unknown"


class NotThatDay(Invalid):
    SLUG = "care-day-not-then"


class GreetedAlready(Refusal):
    SLUG = "greeted-already"


@dataclass(frozen=True)
class Occasions:
    """What customers are greeted for; holidays are everybody's, the others have a day of their own."""

    names: tuple[str, ...]
    version: str

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Occasions":
        """As in force on a day. Raises LimitUnset."""
        decided = policies.value("care.occasions", on)
        return cls(tuple(decided.value), decided.version)

    @property
    def holidays(self) -> dict[str, YearlyDay]:
        """The holidays among them."""
        return {name: HOLIDAYS[name] for name in self.names if name in HOLIDAYS}

    def personal(self, occasion: str) -> None:
        """Raises OccasionUnknown unless a customer has a day of their own for it."""
        own = [name for name in self.names if name not in HOLIDAYS]
        if occasion not in own:
            raise OccasionUnknown(f"{occasion!r} has no day of its own; care.occasions has {', '.join(own)}")

    def holiday(self, name: str, on: date) -> None:
        """Raises OccasionUnknown for what is no holiday of the policy, NotThatDay when it is on another day."""
        day = self.holidays.get(name)
        if day is None:
            raise OccasionUnknown(f"{name!r} is no holiday of care.occasions; it has {', '.join(self.holidays)}")
        _kept(day.name, on, name)


def note_day(
    state: Customer,
    care_id: str,
    occasion: str,
    occasions: Occasions,
    day: YearlyDay,
    contact_id: str | None,
    label: str | None,
    now: datetime,
) -> list[Said]:
    """Keep a day of the customer or of a contact. Raises OccasionUnknown, ContactUnknown, CustomerErased."""
    occasions.personal(occasion)
    unless_erased(state)
    if contact_id is not None and contact_id not in state.contacts:
        raise ContactUnknown(f"customer {state.code} has no contact {contact_id}; list them, or add the person")
    event = said.CareDayNoted(
        customer_id=state.customer_id, care_id=care_id, contact_id=contact_id, dims=state.dims_now("manyi", {}, None)
    )
    private = {"occasion": occasion, "day": day.name, **({} if label is None else {"label": label})}
    return [Said(event, now, private, policy_version=occasions.version, person=contact_id)]


def drop_day(state: Customer, care_id: str, now: datetime) -> list[Said]:
    """Keep a day no longer. Raises CareDayUnknown."""
    kept = state.care_days.get(care_id)
    if kept is None:
        raise CareDayUnknown(f"customer {state.code} has no care day {care_id}; list them first")
    event = said.CareDayDropped(
        customer_id=state.customer_id,
        care_id=care_id,
        contact_id=kept.contact_id,
        dims=state.dims_now("manyi", {}, None),
    )
    return [Said(event, now)]


@dataclass(frozen=True)
class Wish:
    """What somebody says of a greeting: its id, the day it is for, done or skipped, a note, when it is said."""

    greeting_id: str
    on: date
    outcome: Outcome
    note: str | None
    now: datetime


def greet(state: Customer, wish: Wish, care_id: str, policy: Purposes) -> list[Said]:
    """Say that somebody was greeted on their day, or why not.

    Raises CareDayUnknown, NotThatDay, GreetedAlready and SendingNotPermitted.
    """
    unless_erased(state)
    kept = state.care_days.get(care_id)
    if kept is None or kept.day is None:
        raise CareDayUnknown(f"customer {state.code} has no care day {care_id}; list them first")
    _kept(kept.day, wish.on, "the day")
    private = {"care_id": care_id, "on": wish.on.isoformat()}
    return _greeted(state, wish, policy, private, contact_id=kept.contact_id)


def greet_on_holiday(state: Customer, wish: Wish, holiday: str, policy: Purposes) -> list[Said]:
    """Say that a customer was greeted on a holiday, or why not. Raises GreetedAlready, SendingNotPermitted."""
    unless_erased(state)
    return _greeted(state, wish, policy, {}, holiday=holiday, year=wish.on.year)


def _greeted(state: Customer, wish: Wish, policy: Purposes, private: dict[str, str], **about: Any) -> list[Said]:
    """Nobody is greeted twice for one day, nor against their will; that somebody was left out may always be said."""
    contact_id = about.get("contact_id")
    if wish.greeting_id in state.greetings:
        before = state.greetings[wish.greeting_id].outcome
        raise GreetedAlready(f"that was settled before: {before} on {wish.on}; there is nothing more to do")
    if wish.outcome == "greeted":
        unless_unwilling(state, contact_id, GREETING, policy)
    event = said.CustomerGreeted(
        customer_id=state.customer_id,
        greeting_id=wish.greeting_id,
        outcome=wish.outcome,
        at=wish.now,
        dims=state.dims_now("manyi", {}, None),
        **about,
    )
    words = {} if wish.note is None else {"note": wish.note}
    return [Said(event, wish.now, {**private, **words}, policy_version=policy.version, person=contact_id)]


def _kept(name: str, on: date, called: str) -> None:
    if name not in kept_on(on):
        following = YearlyDay.named(name).following(on)
        raise NotThatDay(f"{called} is not on {on}, but next on {following}; name that day")
