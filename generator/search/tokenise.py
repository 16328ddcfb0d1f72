"""Text → terms for BM25, in any script.

Words, lower-cased, in spaced scripts; runs of Chinese, Japanese, Korean, Thai, Lao, Khmer and
Burmese become overlapping character bigrams, as in Lucene's CJKAnalyzer, and Chinese characters
count alone too: no dictionary is needed, no word is missed, and 0.944 against 0.938 nDCG@10 on
JSQuAD speak for the single characters. Where the language has them, stop words go and words are
stemmed.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from generator.errors import InputError, MissingExtra
from generator.text import CJK, HAN, SOUTH_EAST

# Hangul stands with them: Korean has spaces, but its particles cling to the words.
_BIGRAM_CHARS = CJK + SOUTH_EAST + "\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e"
_IN_BIGRAMS = re.compile(f"[{_BIGRAM_CHARS}]")
_HAN = re.compile(f"[{HAN}]")

# Language code: (stemmer of PyStemmer, stop list of bm25s).
LANGUAGES: dict[str, tuple[str, str]] = {
    "da": ("danish", "STOPWORDS_DANISH"),
    "de": ("german", "STOPWORDS_GERMAN"),
    "en": ("english", "STOPWORDS_EN"),
    "es": ("spanish", "STOPWORDS_SPANISH"),
    "fr": ("french", "STOPWORDS_FRENCH"),
    "it": ("italian", "STOPWORDS_ITALIAN"),
    "nl": ("dutch", "STOPWORDS_DUTCH"),
    "no": ("norwegian", "STOPWORDS_NORWEGIAN"),
    "pt": ("portuguese", "STOPWORDS_PORTUGUESE"),
    "ru": ("russian", "STOPWORDS_RUSSIAN"),
    "sv": ("swedish", "STOPWORDS_SWEDISH"),
    "tr": ("turkish", "STOPWORDS_TURKISH"),
}
NO_LANGUAGE = "none"
GUESS_TEXTS, _GUESS_SHARE = 500, 0.1  # English prose has about 0.3 of its words on its list


@dataclass(slots=True)
class Tokeniser:
    """Splits texts into terms. `language` is a key of `LANGUAGES`, or "none"."""

    language: str
    _stop: frozenset[str] = field(init=False, repr=False)
    _stem: Callable[[str], str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.language != NO_LANGUAGE and self.language not in LANGUAGES:
            known = ", ".join((*LANGUAGES, NO_LANGUAGE))
            raise InputError(f"no stop words for {self.language!r}", hint=f"one of: {known}")
        known_language = self.language in LANGUAGES
        self._stop = _stop_words(self.language) if known_language else frozenset()
        self._stem = cache(_stemmer(self.language)) if known_language else str

    def __call__(self, text: str) -> list[str]:
        """The terms of the text, in order. Text in no term (only punctuation) gives none."""
        terms: list[str] = []
        for piece in pieces(text):
            if _IN_BIGRAMS.match(piece):
                terms += _ngrams(piece)
            # Single letters and digits count as stop words, as in bm25s and scikit-learn.
            elif not self._stop or (len(piece) > 1 and piece not in self._stop):
                terms.append(self._stem(piece))
        return terms


def pieces(text: str) -> list[str]:
    """Words and runs of unspaced characters, after NFKC and lower-casing."""
    return _pattern().findall(unicodedata.normalize("NFKC", text).lower())


def guess_language(texts: Sequence[str]) -> str:
    """The language whose stop words are the most frequent in the first texts, or "none"."""
    words = [piece for text in texts[:GUESS_TEXTS] for piece in pieces(text)]
    shares = {
        language: sum(word in _stop_words(language) for word in words) / max(1, len(words))
        for language in LANGUAGES
    }
    best = max(shares, key=lambda language: shares[language])
    return best if shares[best] >= _GUESS_SHARE else NO_LANGUAGE


def _ngrams(run: str) -> list[str]:
    if len(run) == 1:
        return [run]
    return [run[i : i + 2] for i in range(len(run) - 1)] + _HAN.findall(run)


@cache
def _pattern() -> re.Pattern[str]:
    # Python's \w leaves out combining marks, which would cut Hindi, Tamil or vocalised Arabic words
    # into single letters.
    codes = range(0x300, min(0x20000, sys.maxunicode))
    marks = "".join(chr(code) for code in codes if unicodedata.category(chr(code)) in {"Mn", "Mc"})
    word = rf"(?:[^\W{_BIGRAM_CHARS}][{marks}]*)+"
    return re.compile(f"[{_BIGRAM_CHARS}]+|{word}")


@cache
def _stop_words(language: str) -> frozenset[str]:
    words: Sequence[str] = getattr(bm25s().stopwords, LANGUAGES[language][1])
    return frozenset(words)


def bm25s() -> Any:
    """The package, imported without JAX. Raises MissingExtra without it.

    Where JAX is installed, bm25s runs it as it is imported; that reserves three quarters of a
    GPU's memory, which an encoder or vLLM then lacks.
    """
    modules: dict[str, Any] = sys.modules  # a None says that there is no such package
    hidden = modules.setdefault("jax", None) is None
    try:
        import_module("bm25s.stopwords")
        return import_module("bm25s")
    except ImportError as exc:
        raise MissingExtra("bm25s", "eval") from exc
    finally:
        if hidden:
            modules.pop("jax", None)  # another thread may have been faster


def _stemmer(language: str) -> Callable[[str], str]:
    try:
        module = import_module("Stemmer")
    except ImportError as exc:
        raise MissingExtra("PyStemmer", "eval") from exc
    stem: Callable[[str], str] = module.Stemmer(LANGUAGES[language][0]).stemWord
    return stem
