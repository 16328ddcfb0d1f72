"""Data of a person: query_personal_data, positive_…, negative_personal_data. Off unless asked for.

Addresses of electronic mail, telephone numbers, card numbers (with a valid check digit), bank
accounts (IBAN, with a valid remainder), social security numbers, Japanese postal addresses.
Addresses at example.com and its like are nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import Literal

from generator.filters.base import Reject, quote, sides
from generator.records import Record

Kind = Literal["email", "phone", "card", "iban", "ssn", "address"]

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}", re.ASCII)
_NOBODYS = re.compile(r"@(?:[\w-]+\.)*(?:example|test|invalid|localhost)(?:\.\w+)*$")
_PHONE = re.compile(
    r"(?<![\w.-])(?:\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}"
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}"
    r"|0\d{1,4}[-(（]\d{1,4}[-)）]\d{3,4}|0[5789]0\d{8})(?![\w-])",
    re.ASCII,
)
_CARD = re.compile(r"(?<![\w.])(?:\d[ -]?){12,18}\d(?![\w.]\d)", re.ASCII)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])", re.ASCII)
_ADDRESS = re.compile(
    r"〒\s?\d{3}-\d{4}|[都道府県市区町村][^\s。、]{1,12}[一二三四五六七八九十"
    r"\d]+丁目[一二三四五六七八九十\d]+番"
)
_DIGIT = re.compile(r"\d")
_MIN_CARD_DIGITS, _MAX_CARD_DIGITS = 13, 19


def check(
    record: Record,
    _values: Mapping[str, str],
    *,
    kinds: tuple[Kind, ...] = ("email", "phone", "card", "iban", "ssn", "address"),
) -> Reject | None:
    """Reject a record with a text that holds data of these kinds."""
    for side, text in sides(record):
        has_digit = _DIGIT.search(text) is not None
        if not has_digit and "@" not in text:
            continue
        for kind, found in _found(text):
            if kind in kinds:
                return Reject(f"{side}_personal_data", f"{kind}: {quote(found)}")
    return None


def _found(text: str) -> Iterator[tuple[Kind, str]]:
    for match in _EMAIL.finditer(text) if "@" in text else ():
        if not _NOBODYS.search(match.group()):
            yield "email", match.group()
    yield from (("card", m.group()) for m in _CARD.finditer(text) if _is_card(m.group()))
    yield from (("iban", m.group()) for m in _IBAN.finditer(text) if _is_iban(m.group()))
    for kind, pattern in _PLAIN.items():
        yield from ((kind, match.group()) for match in pattern.finditer(text))


_PLAIN: dict[Kind, re.Pattern[str]] = {"ssn": _SSN, "phone": _PHONE, "address": _ADDRESS}


def _is_card(text: str) -> bool:
    """Luhn's check digit (ISO/IEC 7812-1), over 13 to 19 digits."""
    digits = [int(char) for char in text if char.isdigit()]
    if not _MIN_CARD_DIGITS <= len(digits) <= _MAX_CARD_DIGITS or len(set(digits)) == 1:
        return False
    doubled = (d * k for d, k in zip(reversed(digits), cycle((1, 2)), strict=False))
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """The remainder of ISO 7064 MOD 97-10."""
    compact = text.replace(" ", "")
    turned = compact[4:] + compact[:4]
    return len(compact) >= 15 and int("".join(str(int(c, 36)) for c in turned)) % 97 == 1
