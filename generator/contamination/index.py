"""The texts of evaluation sets, found by four checks; the surest that holds names the match.

exact     equal in letters and digits (arXiv 2401.00368 compares so, case and spaces aside)
one_word  equal but for one word: texts of 6 to 20 words
ngram     a run of 13 words in common; of a shorter test text, from 5 words on, the whole
near      Jaccard similarity of character 5-grams at or above a threshold: MinHash proposes, the
          texts decide

The texts lie in a temporary file. In memory a test text takes about 25 bytes, some 24 for
each of its keys (one a run; one a word of a short text, 10 where a word is two characters) and 700
for its sketch: a passage of 100 words has 3 kB, a question of ten words 1 kB (Japanese: 3).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from tempfile import TemporaryFile
from typing import Literal, NamedTuple
from weakref import finalize

import numpy as np

from generator.alike import similarity
from generator.contamination.evalsets import EvalText
from generator.contamination.grams import (
    all_grams,
    gram_hashes,
    keys_but_one,
    shared_grams,
    size_of,
    unit_hashes,
)
from generator.contamination.near import NearTexts
from generator.contamination.postings import Numbers, Postings, each_once
from generator.text import Hashes, normalise, units, word_count

How = Literal["exact", "one_word", "ngram", "near"]
CHECKS: tuple[How, ...] = ("exact", "one_word", "ngram", "near")
_MIN_NEAR_WORDS = 4


class Match(NamedTuple):
    """A text of an evaluation set that a text of the data set matches.

    `score`: of `ngram` the share of the test text's runs that were found, of the others the Jaccard
    similarity.
    """

    how: How
    set: str
    kind: str
    id: str
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class Checks:
    """Which checks are made; see `ContaminationConfig`."""

    min_words: float = 3
    one_word: bool = True
    ngram_words: int | None = 13
    near_threshold: float | None = 0.7


def build_index(texts: Iterable[EvalText], checks: Checks | None = None) -> EvalIndex:
    """The index of some test texts; each is read once."""
    index = EvalIndex(checks or Checks())
    for text in texts:
        index.add(text)
    return index


class EvalIndex:
    """Finds the test texts that a text matches. Add all before the first search."""

    def __init__(self, checks: Checks) -> None:
        self.checks = checks
        self.sets: dict[str, int] = {}  # how many texts each has, short ones counted
        self._stored = TemporaryFile()  # noqa: SIM115 - as long as the index
        self.close = finalize(self, self._stored.close)  # removes it
        self._starts, self._set_of = array("q", [0]), array("H")
        self._exact, self._one_word, self._grams = Postings(), Postings(), Postings()
        self._sizes: set[int] = set()
        self._near = None if checks.near_threshold is None else NearTexts(checks.near_threshold)

    def __len__(self) -> int:
        return len(self._set_of)

    def add(self, text: EvalText) -> None:
        """One test text; it is counted alone where it is too short to be compared."""
        self.sets[text.set] = self.sets.get(text.set, 0) + 1
        words = word_count(text.text)
        if words < self.checks.min_words:
            return
        number, normal = len(self), normalise(text.text)
        found = units(normal)
        hashed = unit_hashes(found)
        self._exact.add(_digest(normal), number)
        if self.checks.one_word:
            self._one_word.add(keys_but_one(normal, found, hashed), number)
        size = size_of(normal, found, self.checks.ngram_words or 0)
        if self.checks.ngram_words is not None and size is not None:
            self._sizes.add(size)
            self._grams.add(np.unique(gram_hashes(hashed, size)), number)
        if self._near is not None and words >= _MIN_NEAR_WORDS:
            self._near.add(text.text, number)
        self._store(text)

    def find(self, texts: Sequence[str]) -> list[list[Match]]:
        """For each text the test texts that it matches, the best one of each set."""
        normal = [normalise(text) for text in texts]
        fit = [n for n, text in enumerate(texts) if word_count(text) >= self.checks.min_words]
        found: list[dict[int, dict[How, list[int]]]] = [{} for _ in texts]
        for how, (places, owners) in self._candidates(texts, normal, fit).items():
            for place, owner in zip(places.tolist(), owners.tolist(), strict=True):
                by_check = found[fit[place]].setdefault(self._set_of[owner], {})
                by_check.setdefault(how, []).append(owner)
        best = [
            [self._best(own, by_check) for by_check in sets.values()]
            for own, sets in zip(normal, found, strict=True)
        ]
        return [[match for match in matches if match is not None] for matches in best]

    def _candidates(
        self, texts: Sequence[str], normal: Sequence[str], fit: Sequence[int]
    ) -> dict[How, tuple[Numbers, Numbers]]:
        """By check: places in `fit` and numbers of test texts that may match."""
        found = [units(normal[n]) for n in fit]
        hashed = [unit_hashes(own) for own in found]
        but_one = [
            keys_but_one(normal[n], own, keys, spare=1)
            for n, own, keys in zip(fit, found, hashed, strict=True)
        ]
        grams, of = all_grams(hashed, sorted(self._sizes))
        places, owners = self._grams.find(grams)
        result: dict[How, tuple[Numbers, Numbers]] = {
            "exact": self._exact.find_all([_digest(normal[n]) for n in fit]),
            "one_word": self._one_word.find_all(but_one),
            "ngram": each_once(of[places], owners),
        }
        if self._near is not None:
            result["near"] = self._near.find([texts[n] for n in fit])
        return result

    def _best(self, normal: str, by_check: dict[How, list[int]]) -> Match | None:
        """The match of the surest check that holds, with the best score that it gives."""
        for how in CHECKS:
            scored = [(self._score(how, normal, owner), -owner) for owner in by_check.get(how, ())]
            score, owner = max(scored, default=(0.0, 0))
            if score > 0:
                kind, name, text = self._text(-owner)
                test_set = list(self.sets)[self._set_of[-owner]]
                return Match(how, test_set, kind, name, round(score, 4), text)
        return None

    def _score(self, how: How, normal: str, owner: int) -> float:
        if how == "exact":
            return 1.0
        test = normalise(self._text(owner)[2])
        if how == "ngram":
            return shared_grams(test, normal, self.checks.ngram_words or 0)
        if how == "near":
            return self._near.score(normal, test) if self._near else 0.0
        return similarity(normal, test, 0.0)

    def _store(self, text: EvalText) -> None:
        self._set_of.append(list(self.sets).index(text.set))
        line = f"{text.kind}\x00{text.id}\x00{text.text}".encode("utf-8", "surrogatepass")
        self._starts.append(self._starts[-1] + self._stored.write(line))

    def _text(self, number: int) -> tuple[str, str, str]:
        start, end = self._starts[number], self._starts[number + 1]
        self._stored.seek(start)
        line = self._stored.read(end - start).decode("utf-8", "surrogatepass")
        kind, name, text = line.split("\x00", 2)
        return kind, name, text


def _digest(normal: str) -> Hashes:
    compact = normal.replace(" ", "").encode("utf-8", "surrogatepass")
    return np.frombuffer(blake2b(compact, digest_size=8).digest(), dtype=np.uint64)
