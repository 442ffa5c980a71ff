"""What the policies say about customer files: codes, file names, what must be known, and how it is written. Pure."""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.customer.model.naming import normal_email, normal_name, normal_phone
from shared.contracts.decision import Invalid
from shared.policy.policies import Policies

CONTACT_FORMATS = ("mobile", "landline")
REACHED = {"contact": ("phone", "email")}
"""Any way to reach somebody will do."""
NAMED = {**REACHED, "contact_person": ("name",), "name": ("name", "company")}
"""The customer's name may be the company's."""
_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""The 31 signs of a unified social credit code, in the order of their values (GB 32100-2015)."""


class FieldsMissing(Invalid):
    """The policy asks for more at the first contact (S1-03, S2-18)."""

    SLUG = "customer-fields-missing"


class FieldMalformed(Invalid):
    """A field is not written as the policy asks (S2-18)."""

    SLUG = "customer-field-malformed"


class TemplateUnsound(ValueError):
    """A template of a pack cannot make what it is for."""


@dataclass(frozen=True)
class Code:
    """The code of a new file and the policy version that made it."""

    code: str
    policy_version: str


@dataclass(frozen=True)
class Filing:
    """The policies in force on one day. `required` is asked for at the first contact, `complete` some day."""

    code_template: str
    code_version: str
    name_template: str
    name_patterns: Mapping[str, str]
    formats: Mapping[str, str]
    required: tuple[str, ...]
    complete: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]
    """Field → the words it may have."""

    @classmethod
    def of(cls, policies: Policies, on: date) -> "Filing":
        """As in force on a day. Raises LimitUnset, naming the key, and TemplateUnsound."""
        code = policies.value("customer.code.template", on)
        name = policies.value("customer.file.written_name", on).value
        if "number" not in _fields(code.value):
            raise TemplateUnsound(f"customer.code.template {code.value!r} needs {{number}}, or codes repeat")
        if not {"code", "year", "month"} <= _fields(name):
            raise TemplateUnsound(f"customer.file.written_name {name!r} needs {{code}}, {{year}} and {{month}}")
        required = tuple(policies.value("customer.first_contact.required", on).value)
        if policies.value("consent.required", on).value:
            required = (*required, "lawful_basis")
        return cls(
            code_template=code.value,
            code_version=code.version,
            name_template=name,
            name_patterns=policies.value("customer.file.accepted_names", on).value,
            formats=policies.value("customer.field.formats", on).value,
            required=required,
            complete=tuple(policies.value("customer.fields.required", on).value),
            words={
                "kind": tuple(policies.value("customer.kinds", on).value),
                "channel": tuple(policies.value("customer.sources", on).value),
                "lawful_basis": tuple(policies.value("customer.lawful_bases", on).value),
                "credit": tuple(policies.value("customer.credit.levels", on).value),
            },
        )

    def code(self, number: int) -> Code:
        """The code of the file with this number (S2-17); never changed afterwards."""
        return Code(self.code_template.format(number=number), self.code_version)

    def file_name(self, code: str, opened: datetime) -> str:
        """Name of the file of a customer first met at this local time (S0-35)."""
        return self.name_template.format(code=code, year=opened.year, month=opened.month)

    def read_file_name(self, name: str) -> str:
        """The customer code in a file name, in every accepted form (S0-35, Q2). Raises FieldMalformed."""
        for pattern in self.name_patterns.values():
            found = re.fullmatch(pattern, name.strip())
            if found:
                return found["code"]
        raise FieldMalformed(f"{name!r} is no file name: write it as {self.name_template}, for example X-2023-07")

    def check(self, fields: Mapping[str, Any]) -> None:
        """Refuse fields that are not written as the policy asks. Raises FieldMalformed naming the first."""
        for sentence in self.malformed(fields).values():
            raise FieldMalformed(sentence)

    def has_form(self, name: str) -> bool:
        """Whether the policy says how this field is written."""
        return name in self.words or any(one in self.formats for one in _formats_of(name))

    def malformed(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """Field → what is wrong with how it is written."""
        found: dict[str, str] = {}
        for name, value in fields.items():
            if value is None:
                continue
            patterns = [self.formats[one] for one in _formats_of(name) if one in self.formats]
            if name in self.words and value not in self.words[name]:
                found[name] = f"{name}: {value!r} is not among {', '.join(self.words[name])}; use one of these"
            elif patterns and not any(re.fullmatch(one, value) for one in patterns):
                found[name] = f"{name}: not written as {' or '.join(_formats_of(name))}; correct it or leave it out"
            elif name == "credit_code" and not sound_credit_code(value):
                found[name] = "credit_code: the check digit is wrong; compare it with the business licence"
        return found

    def check_opening(self, fields: Mapping[str, Any]) -> None:
        """Refuse to open a file that lacks what is collected at the first contact. Raises FieldsMissing."""
        lacking = _lacking(self.required, fields, REACHED)
        if lacking:
            raise FieldsMissing(f"the first contact collects {', '.join(self.required)}; missing: {', '.join(lacking)}")

    def incomplete(self, fields: Mapping[str, Any]) -> list[str]:
        """What a complete file would still need (S2-10); the customer's name may be the company's."""
        return _lacking(self.complete, fields, NAMED)

    @property
    def wanted(self) -> tuple[str, ...]:
        """What a file should have by any policy: what the first contact collects, and what completes it."""
        return tuple(dict.fromkeys((*self.required, *self.complete)))

    def lacking(self, fields: Mapping[str, Any]) -> list[str]:
        """What of `wanted` a file does not have."""
        return _lacking(self.wanted, fields, NAMED)


def _formats_of(name: str) -> tuple[str, ...]:
    return CONTACT_FORMATS if name == "phone" else (name,)


def _lacking(wanted: tuple[str, ...], fields: Mapping[str, Any], alike: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [one for one in wanted if not any(fields.get(name) for name in alike.get(one, (one,)))]


def sound_credit_code(code: str) -> bool:
    """Whether the last sign of a unified social credit code fits the seventeen before (GB 32100-2015, mod 31)."""
    if len(code) != 18 or any(sign not in _DIGITS for sign in code):
        return False
    total = sum(_DIGITS.index(sign) * pow(3, place, 31) for place, sign in enumerate(code[:17]))
    return _DIGITS.index(code[17]) == -total % 31


def natural_key(fields: Mapping[str, Any]) -> str | None:
    """What makes two files the same at first sight: the credit code, or name and phone or e-mail; None: nothing does.

    Two clerks who open a file for the same customer at once thus mean the same one (S0-34).
    """
    if fields.get("credit_code"):
        return f"credit\x1f{fields['credit_code']}"
    name = fields.get("company") or fields.get("name")
    phone, email = fields.get("phone"), fields.get("email")
    reached = normal_phone(phone) if phone else normal_email(email) if email else ""
    if not name or not reached:
        return None
    return "\x1f".join(("reached", normal_name(name), reached))


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}
