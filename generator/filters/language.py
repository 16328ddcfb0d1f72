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
            share = _SHARE if part is text else _SHARE / 2
            if langid.is_plainly(part, language, share):
                continue
            letters = letter_count(part[: 4 * min_letters])
            least = min_confidence if letters >= min_letters else short_confidence
            if letters < short_letters:
                continue
            guess = langid.detect(part)
            if guess.language == "ja" and not langid.has_kana(part):
                continue  # a few Han characters may be of either language
            if guess.confidence >= least and not langid.are_related(guess.language, language):
                told = f"{guess.language} with {guess.confidence:.2f}, not {language}"
                return Reject(f"{side}_wrong_language", told)
    return None


def _parts(text: str) -> tuple[str, ...]:
    """The text, whose beginning the detector sees, and its second half or the end of it."""
    half = len(text) // 2
    return (text,) if half < _MIN_PART_CHARS else (text, text[-min(half, langid.MAX_CHARS) :])
