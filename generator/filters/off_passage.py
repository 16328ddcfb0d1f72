"""A query whose words its passage does not hold: query_off_passage.

A cheap stand-in for a search: what a small model makes up has words, or numbers, of its own. Of a
query in another language than the passage nothing is said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from generator.content import LANGUAGE, content_words, is_same
from generator.filters.base import Reject, quote
from generator.records import Record
from generator.text import HAN, normalise

# Words of Japanese and Chinese without a dictionary: pairs of Han characters, runs of katakana and
# of letters. What asks and what counts days or people makes no word with its neighbours ("何計画",
# "年月着"), nor is what a question says of its answer a word of its passage ("カタカナで何という").
_HAN_RUN = re.compile(f"(?:(?![何誰年月日人])[{HAN}]){{2,}}")
_KATAKANA = re.compile("[\u30a1-\u30fa\u30fc]{2,}")
_LETTERS = re.compile("[a-z\u00e0-\u024f\u0370-\u052f][a-z0-9\u00e0-\u024f\u0370-\u052f]+")
_OF_ANSWERS = re.compile(
    "名前|名称|言葉|文章|文字|記号|漢字|カタカナ|ひらがな|アルファベット|日本語|英語|一番|最初|最後"
    "|一つ|共通|以上|以下|場所|人物|理由"
)
# Two words of two Han characters have three pairs where they stand together.
_MORE_PAIRS = 1
# 1,200 is 1200; a decade or a century holds years of other numbers.
_NUMBER = re.compile(r"(?<!\d)\d{3,}(?![\ds]|年代|世紀)")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def check(
    record: Record, _values: Mapping[str, str], *, min_share: float = 0.15, min_words: int = 2
) -> Reject | None:
    """Reject a query of whose content words fewer than `min_share` stand in its positives.

    And one with a number of three digits or more that does not stand there.

    `min_words`: a query with fewer content words is not judged; without spaces it takes one more.
    """
    if record.query_language != record.text_language or record.label is not None:
        return None
    text = _plain("\n".join(positive.text for positive in record.positives))
    numbers = _NUMBER.findall(_plain(record.query))
    invented = [number for number in numbers if number not in text]
    if invented:
        return Reject("query_off_passage", f"{', '.join(invented)}: {quote(record.query)}")
    held = _held(record.query, text, record.query_language)
    least = min_words + (_MORE_PAIRS if record.query_language != LANGUAGE else 0)
    if len(held) < least or sum(held.values()) >= min_share * len(held):
        return None
    strange = ", ".join(word for word, is_held in held.items() if not is_held)
    return Reject("query_off_passage", f"{strange}: {quote(record.query)}")


def _held(query: str, text: str, language: str) -> dict[str, bool]:
    """The query's content words, and which of them the text holds."""
    if language == LANGUAGE:
        found = set(content_words(text))
        return {word: any(is_same(word, other) for other in found) for word in content_words(query)}
    return {word: word in text for word in _unspaced_words(normalise(query))}


def _unspaced_words(query: str) -> list[str]:
    """Words of a query in normal form; none where it has neither Han characters nor katakana.

    Languages with spaces bend their words, so letters alone are not looked for.
    """
    line = _OF_ANSWERS.sub(" ", query)
    pairs = [run[i : i + 2] for run in _HAN_RUN.findall(line) for i in range(len(run) - 1)]
    found = [*pairs, *_KATAKANA.findall(line)]
    return [*found, *_LETTERS.findall(line)] if found else []


def _plain(text: str) -> str:
    """The text in normal form, its numbers without separators of thousands."""
    return normalise(_GROUPED.sub("", unicodedata.normalize("NFKC", text)))
