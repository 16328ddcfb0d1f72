"""BM25 over texts in any script, through bm25s (k1 1.5, b 0.75, Lucene's form of the formula)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, tee
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.search.hits import Hits, Scores, hits, keys, largest
from generator.search.tokenise import GUESS_TEXTS, Tokeniser, bm25s, guess_language

K1, B = 1.5, 0.75


class BM25:
    """An index of texts, which are read once. `language` picks stop words and stemmer.

    None guesses it from the first texts. Memory while it is built: 4 bytes a term of the texts and
    some 40 for each distinct term of a text; 8 of these stay. Raises MissingExtra without bm25s
    and PyStemmer.
    """

    def __init__(self, texts: Iterable[str], *, language: str | None = None) -> None:
        first, texts = tee(texts)
        self.language = language or guess_language(list(islice(first, GUESS_TEXTS)))
        del first  # or `tee` would hold every text
        self._tokenise = Tokeniser(self.language)
        terms = _Terms()
        for text in texts:
            terms.add(self._tokenise(text))
        self._documents = len(terms)
        self._index = _index(terms) if terms.vocabulary else None

    def __repr__(self) -> str:
        return f"BM25({self._documents:,} texts, language={self.language!r})"

    def search(self, queries: Sequence[str], k: int) -> Hits:
        """The k best texts of each query; a text that shares no term with it is no hit."""
        width = min(k, self._documents)
        best = np.zeros((len(queries), width), dtype=np.uint64)
        for row, query in enumerate(queries):
            found = self.scores(query)
            places = np.flatnonzero(found > 0)
            top = largest(keys(found[places], places)[None, :], k)[0]
            best[row, : len(top)] = top
            best[row, len(top) :] = keys(np.full(1, -np.inf, dtype=np.float32), np.zeros(1, int))
        return hits(best)

    def scores(self, query: str) -> Scores:
        """The score of every text [texts]; -inf where it shares no term with the query."""
        terms = self._tokenise(query)
        found: NDArray[np.float32] = np.zeros(self._documents, dtype=np.float32)
        if terms and self._index is not None:
            found = np.asarray(self._index.get_scores(terms), dtype=np.float32)
        return np.where(found > 0, found, np.float32("-inf"))


class _Terms:
    """The terms of texts as numbers in one flat array: what bm25s needs, at 4 bytes a term."""

    def __init__(self) -> None:
        self.vocabulary: dict[str, int] = {}
        self._flat, self._ends = array("i"), array("q", [0])

    def add(self, terms: Iterable[str]) -> None:
        known = self.vocabulary
        self._flat.extend(known.setdefault(term, len(known)) for term in terms)
        self._ends.append(len(self._flat))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[list[int]]:
        start = 0
        for end in islice(self._ends, 1, None):
            yield self._flat[start:end].tolist()
            start = end


def _index(terms: _Terms) -> Any:
    package = bm25s()
    index = package.BM25(k1=K1, b=B, method="lucene")
    index.index(package.tokenization.Tokenized(terms, terms.vocabulary), show_progress=False)
    return index
