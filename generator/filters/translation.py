"""A translation that is none: positive_other_numbers, positive_other_names, positive_other_length.

For pairs of languages. Numbers are compared by value, in digits or in words: one that stands in
neither text's partner means that it was changed. So are common given names, across alphabets.
Lengths are compared in letters (a Han or kana character is three), each by what its language
usually takes. The negative must not say the
same: negative_equals_positive is the rule for that.
"""

from __future__ import annotations

from collections.abc import Mapping

from generator.filters import numerals
from generator.filters.base import Reject, quote
from generator.filters.given_names import names_in
from generator.records import Record
from generator.scripts import letter_count

_SHORT_LETTERS = 24  # below, one word more is a large share
# Letters that a language takes for what English says in one; means over translations.
_LETTERS = {
    "ja": 1.6, "de": 1.2, "fr": 1.15, "es": 1.15, "it": 1.15, "pt": 1.1, "nl": 1.15, "ru": 1.1,
    "ar": 0.8, "he": 0.75, "ko": 0.5,
}  # fmt: skip
_HOURS = 12


def check(
    record: Record, _values: Mapping[str, str], *, max_ratio: float = 2.0, numbers: bool = True
) -> Reject | None:
    """Reject a pair with other numbers, other names or a far longer text on one side.

    `max_ratio`: letters of the longer text by those of the shorter one. Records of one language
    are not looked at.
    """
    first, second = record.query_language, record.text_language
    if first == second or not record.symmetric:
        return None
    query = record.query
    for positive in record.positives:
        text = positive.text
        if numbers and (changed := _changed_numbers(query, first, text, second)):
            return Reject("positive_other_numbers", f"{changed}: {quote(text)}")
        one, other = names_in(query), names_in(text)
        if one - other and other - one:
            return Reject("positive_other_names", f"{', '.join(sorted(one | other))}")
        shorter, longer = sorted((_length(query, first), _length(text, second)))
        if longer >= _SHORT_LETTERS and longer > max_ratio * (shorter + 4):
            told = f"{longer:.0f} letters for {shorter:.0f}, as English counts"
            return Reject("positive_other_length", told)
    return None


def _length(text: str, language: str) -> float:
    return letter_count(text) / _LETTERS.get(language, 1.0)


def _changed_numbers(query: str, first: str, text: str, second: str) -> str:
    """The numbers of each text that the other has not, "" where that says nothing."""
    one, other = numerals.values(query, first), numerals.values(text, second)
    if not one.digits and not other.digits and not (one.words and other.words):
        return ""
    # What is written in digits must come back in some form. Of words, none may match.
    missing = {n for n in one.digits if not _held(n, other.all)}
    added = {n for n in other.digits if not _held(n, one.all)}
    if (missing and added) or (
        one.all
        and other.all
        and not one.all & other.all
        and (not any(_held(n, other.all) for n in one.all))
        and min(map(max, (one.all, other.all))) > 1
    ):
        return f"{_said(one.all)} is not {_said(other.all)}"
    large = {n for n in missing | added if n >= 100}
    if large and not (one.all and other.all):
        return f"{_said(large)} stands on one side alone"
    return ""


def _held(number: float, among: frozenset[float]) -> bool:
    """Whether the number is there, also as an hour of the other half of the day."""
    return (
        number in among
        or number + _HOURS in among
        or (_HOURS < number <= 2 * _HOURS and number - _HOURS in among)
    )


def _said(numbers: frozenset[float] | set[float]) -> str:
    return ", ".join(f"{n:g}" for n in sorted(numbers))
