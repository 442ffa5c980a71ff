"""What the rows of a table say about customers: which column is which field, and what a cell means. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from services.customer.model.naming import normal_name
from shared.contracts.decision import Invalid
from shared.contracts.envelope import Code

FIELDS = (
    "name",
    "company",
    "credit_code",
    "kind",
    "partner_id",
    "key_mark",
    "phone",
    "email",
    "address",
    "needs",
    "preferences",
    "grade",
    "region",
    "industry",
    "size",
    "channel",
    "owner_id",
    "lawful_basis",
)
"""Fields of a file that a column may hold; the same that an export writes."""
KEYS = ("code", "source", "external_id", "not_the_same_as")
"""What says which file a row is about; and, separated by spaces, which like files it is not about."""
Known = Literal[
    "name", "company", "creditCode", "kind", "partnerId", "keyMark", "phone", "email", "address", "needs",
    "preferences", "grade", "region", "industry", "size", "channel", "ownerId", "lawfulBasis", "code", "source",
    "externalId", "notTheSameAs",
]  # fmt: skip
COLUMNS: Mapping[str, str] = {to_camel(name): name for name in (*FIELDS, *KEYS)}
"""Name on the wire → field."""
CALLED: Mapping[str, tuple[str, ...]] = {
    "name": ("姓名", "客户姓名", "联系人", "contact person"),
    "company": ("公司", "公司名称", "单位", "单位名称", "客户名称", "company name", "organisation"),
    "creditCode": ("统一社会信用代码", "信用代码"),
    "kind": ("客户类型", "客户类别"),
    "keyMark": ("重点客户",),
    "phone": ("电话", "手机", "手机号", "联系电话", "联系方式", "telephone", "mobile"),
    "email": ("邮箱", "电子邮箱", "电子邮件", "mail"),
    "address": ("地址", "住址", "联系地址"),
    "needs": ("需求", "客户需求"),
    "preferences": ("偏好", "客户偏好"),
    "grade": ("等级", "客户等级"),
    "region": ("地区", "区域", "地域"),
    "industry": ("行业", "所属行业"),
    "size": ("规模", "企业规模"),
    "channel": ("渠道", "采集渠道"),
    "ownerId": ("负责人", "owner"),
    "lawfulBasis": ("合法性基础",),
    "code": ("客户编码", "客户编号", "customer code"),
    "externalId": ("外部编号", "编号", "id"),
}
"""Field → what columns are also called."""
_BY_NAME = {normal_name(called): field for field in COLUMNS for called in (field, *CALLED.get(field, ()))}
YES, NO = frozenset({"true", "yes", "y", "1", "是"}), frozenset({"false", "no", "n", "0", "否"})


class RowUnreadable(Invalid):
    SLUG = "row-unreadable"


class Reading(BaseModel):
    """How a table is read: column → field, what holds for every row, and whose ids the rows carry.

    A column that is not named is left out; an empty cell says nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)
    columns: dict[Code, Known] = Field(examples=[{"客户名称": "company", "手机": "phone", "编号": "externalId"}])
    constants: dict[Known, Code] = Field({}, examples=[{"lawfulBasis": "contract", "channel": "import"}])
    source: Code = Field("manyi", description="Whose external ids these are, where no column says.")

    @model_validator(mode="after")
    def _one_column_for_a_field(self) -> "Reading":
        if len(set(self.columns.values())) != len(self.columns):
            raise ValueError("two columns are read as the same field: leave one of them out")
        if both := set(self.columns.values()) & set(self.constants):
            raise ValueError(f"{', '.join(sorted(both))}: either a column says it, or it holds for every row")
        return self


@dataclass(frozen=True)
class Row:
    """One row, read: the fields it states, and what says which file it is about."""

    fields: Mapping[str, Any]
    source: str
    external_id: str | None = None
    code: str | None = None
    not_the_same_as: frozenset[str] = frozenset()


def suggested(columns: Sequence[str]) -> dict[str, str]:
    """Column → field, for the columns whose names are known; the first of two that mean the same."""
    found: dict[str, str] = {}
    for column in columns:
        field = _BY_NAME.get(normal_name(column))
        if field is not None and field not in found.values():
            found[column] = field
    return found


def read_row(columns: Sequence[str], cells: Sequence[str], reading: Reading) -> Row:
    """What one row says. Raises RowUnreadable."""
    if any(cells[len(columns) :]):
        raise RowUnreadable(f"it has {len(cells)} cells where the header names {len(columns)}; is a delimiter quoted?")
    said = dict(zip(columns, cells, strict=False))
    told = {COLUMNS[field]: value for field, value in reading.constants.items()}
    told |= {COLUMNS[field]: value for column, field in reading.columns.items() if (value := said.get(column))}
    fields: dict[str, Any] = {name: told[name] for name in FIELDS if name in told}
    if "key_mark" in fields:
        fields["key_mark"] = _flag(fields["key_mark"])
    return Row(
        fields=fields,
        source=told.get("source", reading.source),
        external_id=told.get("external_id"),
        code=told.get("code"),
        not_the_same_as=frozenset(told.get("not_the_same_as", "").split()),
    )


def _flag(value: str) -> bool:
    word = value.casefold()
    if word not in YES | NO:
        raise RowUnreadable(f"keyMark: write yes or no, 是 or 否, not {value!r}")
    return word in YES
