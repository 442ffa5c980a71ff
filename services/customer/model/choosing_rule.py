"""A rule that chooses customers: a small condition over the head of a file, bounded, read strictly (S2-06, S2-16).

    {"all": [{"field": "grade", "in": ["A", "B"]}, {"not": {"field": "contactedAt", "withinDays": 30}}]}

Fields are those that are stored open; what is personal is not among them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, model_validator
from pydantic.alias_generators import to_camel, to_snake

MOST_TESTS = 50
DEEPEST = 5
CODES = (
    "grade",
    "lifecycle",
    "kind",
    "region",
    "industry",
    "size",
    "channel",
    "owner_id",
    "partner_id",
    "lawful_basis",
)
FLAGS = ("key_mark", "provisional", "grade_fixed")
MOMENTS = ("contacted_at", "ordered_at", "contracted_until", "contact_at")
TAG = "tag:"
"""A field of this prefix is one of the file's own dimensions, such as tag:product_family."""
FIELDS = tuple(to_camel(name) for name in (*CODES, *FLAGS, *MOMENTS))
Value = Annotated[str, Field(min_length=1, max_length=200)]
Days = Annotated[int, Field(ge=0, le=36_500)]


class Bare(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Trait(Bare):
    """One field and one test of it: among values, yes or no, whether it is known, or how long ago or ahead it is."""

    field: Annotated[str, Field(max_length=60)] = Field(examples=["grade"])
    among: Annotated[list[Value], Field(min_length=1, max_length=100)] | None = Field(None, alias="in")
    is_: bool | None = Field(None, alias="is")
    known: bool | None = None
    within_days: Days | None = None
    older_than_days: Days | None = None
    ahead_days: Days | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        name, tag = to_snake(self.field), self.field.removeprefix(TAG)
        tagged = self.field.startswith(TAG) and tag.isidentifier() and tag.isascii()
        if not tagged and (self.field not in FIELDS):
            raise ValueError(f"there is no field {self.field!r}; use tag:… or one of {', '.join(FIELDS)}")
        fits = {
            "in": tagged or name in CODES,
            "is": name in FLAGS,
            "known": name not in FLAGS,
            "withinDays": name in MOMENTS,
            "olderThanDays": name in MOMENTS,
            "aheadDays": name in MOMENTS,
        }
        used = [one for one, value in self.model_dump(by_alias=True, exclude={"field"}).items() if value is not None]
        usable = [one for one, good in fits.items() if good]
        if len(used) != 1 or used[0] not in usable:
            raise ValueError(f"{self.field} takes exactly one test of {', '.join(usable)}; here: {used or 'none'}")
        return self

    @property
    def place(self) -> str:
        """Where the field is in a stored head."""
        return f"dims.{self.field.removeprefix(TAG)}" if self.field.startswith(TAG) else to_snake(self.field)


class AllOf(Bare):
    """Every one of them holds."""

    all: Annotated[list["Rule"], Field(min_length=1, max_length=MOST_TESTS)]


class AnyOf(Bare):
    """At least one of them holds."""

    any: Annotated[list["Rule"], Field(min_length=1, max_length=MOST_TESTS)]


class Not(Bare):
    """It does not hold."""

    negated: "Rule" = Field(alias="not")


def _kind(value: Any) -> str:
    """By which word a rule begins; whatever has none of them is read as a test, and told what it lacks."""
    if isinstance(value, AllOf):
        return "all"
    if isinstance(value, AnyOf):
        return "any"
    if isinstance(value, Not):
        return "not"
    words = set(value) if isinstance(value, Mapping) else set()
    return next((one for one in ("all", "any", "not") if one in words), "test")


Rule = Annotated[
    Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Trait, Tag("test")],
    Discriminator(_kind),
]


def _bounded(rule: AllOf | AnyOf | Not | Trait) -> AllOf | AnyOf | Not | Trait:
    tests, depth = _size(rule)
    if tests > MOST_TESTS or depth > DEEPEST:
        raise ValueError(f"a rule has at most {MOST_TESTS} tests, {DEEPEST} deep; this one has {tests}, {depth} deep")
    return rule


def _size(rule: AllOf | AnyOf | Not | Trait) -> tuple[int, int]:
    if isinstance(rule, Trait):
        return 1, 1
    inner = [_size(one) for one in _inside(rule)]
    return sum(tests for tests, _ in inner), 1 + max(depth for _, depth in inner)


def _inside(rule: AllOf | AnyOf | Not) -> list[AllOf | AnyOf | Not | Trait]:
    match rule:
        case AllOf():
            return list(rule.all)
        case AnyOf():
            return list(rule.any)
        case Not():
            return [rule.negated]


for model in (AllOf, AnyOf, Not):
    model.model_rebuild()

BoundedRule = Annotated[Rule, AfterValidator(_bounded)]
RULE: TypeAdapter[AllOf | AnyOf | Not | Trait] = TypeAdapter(BoundedRule)


def query(rule: AllOf | AnyOf | Not | Trait, now: datetime) -> dict[str, Any]:
    """The same as a MongoDB filter over heads of files. A field that is not known passes no test of its value."""
    match rule:
        case AllOf():
            return {"$and": [query(one, now) for one in rule.all]}
        case AnyOf():
            return {"$or": [query(one, now) for one in rule.any]}
        case Not():
            return {"$nor": [query(rule.negated, now)]}
        case Trait():
            return {rule.place: _test(rule, now)}


def _test(test: Trait, now: datetime) -> dict[str, Any]:
    if test.among is not None:
        return {"$in": test.among}
    if test.is_ is not None:
        return {"$eq": test.is_}
    if test.known is not None:
        return {"$ne": None} if test.known else {"$eq": None}
    if test.within_days is not None:
        return {"$gte": now - timedelta(days=test.within_days), "$lte": now}
    if test.older_than_days is not None:
        return {"$lt": now - timedelta(days=test.older_than_days)}
    return {"$gt": now, "$lte": now + timedelta(days=test.ahead_days or 0)}
