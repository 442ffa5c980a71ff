"""What a key says, in words: value, unit, clauses, the version that decides, and what happens while it is unset."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.policy.approvals.chain import Chain
from shared.policy.calendar.company import CompanyCalendar
from shared.policy.calendar.due import UNITS
from shared.policy.calendar.official import Named
from shared.policy.declared import Key
from shared.policy.pack import Edition, Pack
from shared.policy.policies import LimitUnset
from shared.policy.settings import Setting, Table

WORDS = {
    **UNITS,
    "count": Named("个", "count"),
    "percent": Named("%", "percent"),
    "points": Named("分（评分）", "points"),
    "minor": Named("分（货币最小单位）", "minor currency units"),
    "flag": Named("是/否", "yes or no"),
    "role": Named("角色", "role"),
    "choice": Named("选项", "choice"),
    "template": Named("模板", "template"),
    "names": Named("列表", "list"),
    "roles": Named("角色列表", "roles"),
    "patterns": Named("格式（正则表达式）", "formats (regular expressions)"),
    "titles": Named("名称→角色", "name → role"),
    "table": Named("表", "table"),
    "chain": Named("审批链", "approval chain"),
    "calendar": Named("工作日历", "business calendar"),
}
UNSET = Named("未设定", "not set")


@dataclass(frozen=True)
class Explanation:
    """One key as one document says it on a day."""

    key: Key
    value: Named
    unit: Named
    clauses: tuple[str, ...]
    origin: Named
    note: Named
    version: str
    effective_from: date
    when_unset: Named


def explain(key: str, packs: tuple[Pack, ...], on: date) -> list[Explanation]:
    """What each pack that speaks of the key says on a day; empty when none does."""
    found = []
    for pack in packs:
        latest = {one.document: one for one in pack.editions() if one.effective_from <= on}
        found += [_explained(one.settings[key], one) for one in latest.values() if key in one.settings]
    return found


def _explained(setting: Setting, edition: Edition) -> Explanation:
    unit = WORDS[setting.unit]
    if isinstance(setting, Table):
        unit = Named(f"{unit.zh}，{WORDS[setting.of].zh}", f"{unit.en} of {WORDS[setting.of].en}")
    place = f"shared/policy/packs/{edition.pack}.yaml"
    silent = setting.origin == "default"
    return Explanation(
        key=setting.key,
        value=in_words(setting.value),
        unit=unit,
        clauses=setting.clauses,
        origin=Named("默认值（原文未定）", "our default") if silent else Named("制度原文", "the policy's own words"),
        note=Named(setting.zh, setting.en),
        version=edition.stamp,
        effective_from=edition.effective_from,
        when_unset=Named(
            f"未设定时一律拒绝，绝不自动批准：请在 {place} 的新版本中设定 {setting.key}",
            f"refused, never approved by default: {LimitUnset(setting.key, place)}",
        ),
    )


def in_words(value: Any) -> Named:
    """A value in one line, in both languages."""
    if value is None:
        return UNSET
    if isinstance(value, bool):
        return Named("是", "yes") if value else Named("否", "no")
    if isinstance(value, Chain):
        return _chain(value)
    if isinstance(value, CompanyCalendar):
        text = f"{value.zone}; {', '.join(value.working_week)}; {', '.join(value.hours)}; official {value.official}"
        return Named(text, text)
    if isinstance(value, dict):
        pairs = [(name, in_words(one)) for name, one in value.items()]
        return Named(
            "，".join(f"{name}={one.zh}" for name, one in pairs), ", ".join(f"{name} = {one.en}" for name, one in pairs)
        )
    if isinstance(value, tuple):
        return Named("、".join(map(str, value)), ", ".join(map(str, value)))
    return Named(str(value), str(value))


def _chain(chain: Chain) -> Named:
    zh, en = [], []
    for tier in chain.tiers:
        path = " → ".join(tier.steps)
        if tier.limit is None:
            zh.append(f"其余 {path}" if len(chain.tiers) > 1 else path)
            en.append(f"above {path}" if len(chain.tiers) > 1 else path)
        else:
            zh.append(f"{'低于' if tier.below else '不超过'} {tier.limit}：{path}")
            en.append(f"{'below' if tier.below else 'up to'} {tier.limit}: {path}")
    if chain.within:
        after = {"escalate": Named(f"升级至 {chain.escalate_to}", f"escalates to {chain.escalate_to}")}
        then = after.get(chain.on_expiry or "", Named("失效", "lapses"))
        zh.append(f"全程 {chain.within}，逾期{then.zh}")
        en.append(f"whole chain within {chain.within}, then {then.en}")
    if chain.emergency:
        by = " or ".join(chain.emergency.by)
        zh.append(f"紧急：{'、'.join(chain.emergency.by)} 先行授权，{chain.emergency.ratify_within} 内补齐记录")
        en.append(f"emergency: {by} at once, recorded within {chain.emergency.ratify_within}")
    return Named("；".join(zh), "; ".join(en))
