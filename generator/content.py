"""The content words of English texts, as stems: what a text is about, whatever its grammar.

English alone: other languages need stop words and stems of their own, so callers let them pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import islice

import snowballstemmer

LANGUAGE = "en"
_ASCII_WORDS = bytes(code if chr(code).isalnum() else 32 for code in range(128)) + bytes(128)
_WORD = re.compile(r"[^\W_]+")
_STOP_WORDS = frozenset(
    """
    a about after again all am an and another any are as at be because been before being but buy by
    can choose could did do does doing done down during each every few find first for from get give
    good had has have having he her here him his how i if in into is it its just keep large make
    many may me might more most much must my new no not of off old on once one only or other our
    out over own people person plan prepare put s same shall she should small so some someone
    something start stay such t take than that the their them then there these they thing things
    this those through to too under up us use very was we were what when where which while who whom
    whose why will with within without would you your better best re ve ll d m don doesn didn isn
    """.split()
)
_MIN_SHARED_STEM = 4
_MAX_ENDING = 3
_AT_A_TIME = 64


@cache
def _stemmer() -> snowballstemmer.EnglishStemmer:
    return snowballstemmer.stemmer("english")


def stem(word: str) -> str:
    """The Snowball stem of a lower-case word."""
    found: str = _stemmer().stemWord(word)
    return found


@cache
def _stop_stems() -> frozenset[str]:
    return frozenset(stem(word) for word in _STOP_WORDS)


@lru_cache(maxsize=1 << 16)  # a language has more words than that, a text hardly any of those
def _content_stem(word: str) -> str:
    """The stem of a word that says something, "" of any other."""
    if word in _STOP_WORDS:
        return ""
    found = stem(word)
    return "" if found in _stop_stems() else found


def content_words(text: str, most: int | None = None) -> list[str]:
    """Stems of the content words, in order; the first `most` alone where that is given."""
    rest, at_a_time = _words(text), -1 if most is None else _AT_A_TIME
    found: list[str] = []
    while rest and (most is None or len(found) < most):
        words = rest.split(maxsplit=at_a_time)
        rest = words.pop() if 0 < at_a_time < len(words) else ""
        found += filter(None, map(_content_stem, words))
    return found[:most]


def content_of(words: Iterable[str], most: int) -> list[str]:
    """As `content_words`, of words in lower case that somebody has split already."""
    return list(islice(filter(None, map(_content_stem, words)), most))


def _words(text: str) -> str:
    """The words in lower case, spaces between them."""
    if text.isascii():
        return text.lower().encode().translate(_ASCII_WORDS).decode()
    return " ".join(_WORD.findall(text.casefold()))


def is_same(one: str, other: str) -> bool:
    """Whether two stems are of one word: equal, or one begins the other ("bicycl", "bike" not)."""
    shorter, longer = sorted((one, other), key=len)
    close = len(shorter) >= _MIN_SHARED_STEM and len(longer) - len(shorter) <= _MAX_ENDING
    return one == other or (close and longer.startswith(shorter))


def coverage(phrase: str, text: str) -> float:
    """The share of the phrase's content words that the text holds, 0 to 1; 1 where it has none."""
    wanted, found = set(content_words(phrase)), set(content_words(text))
    held = sum(any(is_same(word, other) for other in found) for word in wanted)
    return held / len(wanted) if wanted else 1.0
