"""A text in another language: query_wrong_language, positive_…, negative_wrong_language.

Rejects only what the detector is sure of: a long enough text, a language that it knows, and a
guess that is not a close relative (Croatian for Serbian). Labels are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

from generator import langid
from generator.filters.base import Reject, prose_sides
from generator.records import Record
from generator.scripts import letter_count


def check(
    record: Record,
    _values: Mapping[str, str],
    *,
    min_confidence: float = 0.5,
    min_letters: int = 40,
) -> Reject | None:
    """Reject a record with a text that is surely not in the language it was asked in.

    `min_letters`: shorter texts are kept; a Han or kana character counts as three letters.
    """
    for side, text, language in prose_sides(record):
        # Counting letters costs more than a look at the length, and most texts are long.
        if langid.is_plainly(text, language) or not langid.is_known(language):
            continue
        if letter_count(text[: 4 * min_letters]) < min_letters:
            continue
        guess = langid.detect(text)
        if guess.confidence >= min_confidence and not langid.are_related(guess.language, language):
            return Reject(
                f"{side}_wrong_language",
                f"{guess.language} with {guess.confidence:.2f}, not {language}",
            )
    return None
