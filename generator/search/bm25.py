"""BM25 over texts in any script, through bm25s (k1 1.5, b 0.75, Lucene's form of the formula)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.errors import MissingExtra
from generator.search.hits import Hits, Scores, hits, keys, largest
from generator.search.tokenise import Tokeniser, guess_language

K1, B = 1.5, 0.75


class BM25:
    """An index of texts. `language` picks stop words and stemmer; None guesses it from the texts.

    Raises MissingExtra without bm25s and PyStemmer.
    """

    def __init__(self, texts: Sequence[str], *, language: str | None = None) -> None:
        self.language = language or guess_language(texts)
        self._tokenise = Tokeniser(self.language)
        self._documents = len(texts)
        terms = [self._tokenise(text) for text in texts]
        self._index = _index(terms) if any(terms) else None

    def __repr__(self) -> str:
        return f"BM25({self._documents:,} texts, language={self.language!r})"

    def search(self, queries: Sequence[str], k: int) -> Hits:
        """The k best texts of each query; a text that shares no term with it is no hit."""
        places = np.arange(self._documents)
        rows = [largest(keys(self.scores(query)[None, :], places), k) for query in queries]
        width = min(k, self._documents)
        return hits(np.concatenate(rows) if rows else np.empty((0, width), dtype=np.uint64))

    def scores(self, query: str) -> Scores:
        """The score of every text [texts]; -inf where it shares no term with the query."""
        terms = self._tokenise(query)
        found: NDArray[np.float32] = np.zeros(self._documents, dtype=np.float32)
        if terms and self._index is not None:
            found = np.asarray(self._index.get_scores(terms), dtype=np.float32)
        return np.where(found > 0, found, np.float32("-inf"))


def _index(terms: list[list[str]]) -> Any:
    try:
        import bm25s  # noqa: PLC0415 - loads a second of packages
    except ImportError as exc:
        raise MissingExtra("bm25s", "eval") from exc
    index = bm25s.BM25(k1=K1, b=B, method="lucene")
    index.index(terms, show_progress=False)
    return index
