"""A text in another script: query_wrong_script, positive_wrong_script, negative_wrong_script.

Cheap and certain where `language` is not: it needs no model and sees a short English query in a
Japanese record. Labels are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

from generator.filters.base import Reject, prose_sides
from generator.records import Record
from generator.scripts import letter_count, script_share

# What a product's name or an abbreviation may have without any letter of the language.
_MIN_LETTERS = 10


def check(
    record: Record,
    _values: Mapping[str, str],
    *,
    min_share: float = 0.5,
    query_min_share: float = 0.15,
) -> Reject | None:
    """Reject a record with a text whose letters are mostly of a script its language has not.

    Shares are of letters, 0 to 1. A query may do with fewer: foreign names fill much of it.
    """
    for side, text, language in prose_sides(record):
        share = script_share(text, language)
        least = query_min_share if side == "query" else min_share
        if share is not None and share < least and letter_count(text) >= _MIN_LETTERS:
            return Reject(f"{side}_wrong_script", f"{share:.0%} of the letters are {language}")
    return None
