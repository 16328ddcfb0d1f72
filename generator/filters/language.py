"""A text in another language: query_wrong_language, positive_…, negative_wrong_language.

Rejects only what the detector is sure of: a long enough text, a language that it knows, and a
guess that is not a close relative (Croatian for Serbian). Of a short text it must be surer, of a
long one the end is looked at too: a translation may stop half-way. Labels are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

from generator import langid
from generator.filters.base import Reject, prose_sides
from generator.records import Record
from generator.scripts import letter_count

# Languages that models slip into; of a short text no other guess is believed.
_COMMON = frozenset("ar de en es fa fr hi id it ja ko nl pl pt ru sv th tr uk vi zh".split())
_MIN_PART_CHARS = 70
_SHARE = 0.3


def check(
    record: Record,
    _values: Mapping[str, str],
    *,
    min_confidence: float = 0.5,
    min_letters: int = 40,
    short_confidence: float = 0.9,
    short_letters: int = 14,
) -> Reject | None:
    """Reject a record with a text that is surely not in the language it was asked in.

    Texts with fewer than `min_letters` need `short_confidence`, and those with fewer than
    `short_letters` are kept; a Han or kana character counts as three letters.
    """
    for side, text, language in prose_sides(record):
        if not langid.is_known(language):
            continue
        for part in _parts(text):
            # The end of a text whose beginning is in its language needs less to be so too.
            if langid.is_plainly(part, language, _SHARE if part is text else _SHARE / 2):
                continue
            letters = letter_count(part[: 4 * min_letters])
            if letters < short_letters:
                continue
            guess = langid.detect(part)
            is_short = letters < min_letters
            least = short_confidence if is_short else min_confidence
            if guess.confidence >= least and not _may_be(guess, language, part, is_short=is_short):
                told = f"{guess.language} with {guess.confidence:.2f}, not {language}"
                return Reject(f"{side}_wrong_language", told)
    return None


def _may_be(guess: langid.Guess, language: str, text: str, *, is_short: bool) -> bool:
    """Whether a text with this guess may well be in the language all the same."""
    if is_short and guess.language not in _COMMON:  # the detector is often sure of Cebuano
        return True
    if guess.language == "ja" and not langid.has_kana(text):  # Han characters alone are of either
        return True
    return langid.are_related(guess.language, language)


def _parts(text: str) -> tuple[str, ...]:
    """The text, whose beginning the detector sees, and its second half or the end of it."""
    half = len(text) // 2
    return (text,) if half < _MIN_PART_CHARS else (text, text[-min(half, langid.MAX_CHARS) :])
