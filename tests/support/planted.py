"""Real customer lists with made-up organisations, and duplicates planted among them as clerks make them."""

import csv
import gzip
import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.places import ROOT

TAPES = ROOT / "deploy" / "tapes" / "data"
File = dict[str, Any]
HANZI = "华东江海远大新光天宇恒信瑞丰嘉和盛达康泰金鼎明德博雅腾飞宏图正源中科联创卓越永兴"
TRADES = ("机械", "电子", "化工", "贸易", "物流", "仪器", "建材", "食品")
SYLLABLES = ("nor", "vel", "tan", "kor", "mira", "sol", "bex", "dun", "ferr", "gal", "hox", "lum", "pra", "quin")
WORKS = ("Tools", "Foods", "Freight", "Optics", "Paper", "Systems", "Textiles")


def olist(folder: Path) -> list[File]:
    """One organisation for each customer of the shop, at the customer's real place."""
    with (folder / "olist_sample" / "olist_customers_dataset.csv").open(encoding="utf-8") as lines:
        rows = {row["customer_unique_id"]: row for row in csv.DictReader(lines)}
    return [
        _organisation(key, f"{row['customer_city']} {row['customer_zip_code_prefix']}", latin=False)
        for key, row in rows.items()
    ]


def telco(folder: Path) -> list[File]:
    """One organisation for each subscriber, at the subscriber's real place."""
    path = folder / "telco_churn" / "v11" / "Telco_customer_churn_location.csv"
    with path.open(encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    return [_organisation(row["Customer ID"], f"{row['City']} {row['Zip Code']}", latin=True) for row in rows]


def bundled(_folder: Path) -> list[File]:
    """One organisation for each subscriber of the list that comes with the tapes, which says nothing of places.

    Every other one is called in Chinese: a slip in so short a name leaves less of it.
    """
    with gzip.open(TAPES / "Telco-Customer-Churn.csv.gz", "rt", encoding="utf-8-sig") as lines:
        keys = [row["customerID"] for row in csv.DictReader(lines)]
    return [_organisation(key, f"block {number % 97}", latin=number % 2 == 1) for number, key in enumerate(keys)]


def plant(files: list[File], share: float, seed: int) -> tuple[list[File], set[frozenset[str]]]:
    """The files with distorted copies of some of them, and the pairs that are one."""
    chance = random.Random(seed)
    chosen = chance.sample(files, int(len(files) * share))
    copies = [
        {**DISTORTIONS[number % len(DISTORTIONS)](chance, one), "id": f"{one['id']}+"}
        for number, one in enumerate(chosen)
    ]
    return [*files, *copies], {frozenset((one["id"], f"{one['id']}+")) for one in chosen}


def _organisation(key: str, place: str, *, latin: bool) -> File:
    chance = random.Random(hashlib.sha256(key.encode()).digest())
    if latin:
        word = "".join(chance.choices(SYLLABLES, k=5)).capitalize()
        company = f"{word} {chance.choice(WORKS)} Ltd."
    else:
        company = f"{''.join(chance.choices(HANZI, k=4))}{chance.choice(TRADES)}有限公司"
    digits = "".join(chance.choices("0123456789", k=9))
    return {
        "id": key,
        "company": company,
        "phone": f"1{chance.choice('356789')}{digits}",
        "email": f"{key[:12].lower()}@example.com" if chance.random() < 0.6 else None,
        "address": f"{place}, {chance.randrange(1, 3000)} {chance.choice(SYLLABLES)}",
    }


def _typo(chance: random.Random, text: str) -> str:
    place = chance.randrange(3)
    kind = chance.randrange(3)
    if kind == 0:
        return text[:place] + text[place + 1 :]
    if kind == 1:
        return text[:place] + chance.choice(HANZI) + text[place + 1 :]
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _reformatted(one: File) -> str:
    phone = str(one["phone"])
    return f"+86 {phone[:3]} {phone[3:7]}-{phone[7:]}"


def _same_phone(chance: random.Random, one: File) -> File:
    return {**one, "company": _typo(chance, one["company"]), "phone": _reformatted(one), "email": None, "address": None}


def _same_mail(chance: random.Random, one: File) -> File:
    mail = one["email"].upper() if one["email"] else None
    phone = None if mail else one["phone"]
    return {**one, "company": _typo(chance, one["company"]), "phone": phone, "email": mail, "address": None}


def _other_form(chance: random.Random, one: File) -> File:
    plain = one["company"].removesuffix("有限公司").removesuffix(" Ltd.")
    form = "股份有限公司" if plain != one["company"] and one["company"].endswith("公司") else " LIMITED"
    return {**one, "company": f" {plain}{form}", "phone": None, "email": None, "address": None}


def _full_width(chance: random.Random, one: File) -> File:
    wide = "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in one["company"])
    return {**one, "company": wide, "phone": None, "address": None}


def _same_place(chance: random.Random, one: File) -> File:
    return {
        **one,
        "company": _typo(chance, one["company"]),
        "phone": None,
        "email": None,
        "address": one["address"].upper(),
    }


DISTORTIONS: tuple[Callable[[random.Random, File], File], ...] = (
    _same_phone,
    _same_mail,
    _other_form,
    _full_width,
    _same_place,
)
