"""Which passages a family is written from, in which order, and what a template sees of one.

A passage comes once before any comes twice, in an order that follows from its id: a short run
samples all of a corpus, and a longer one begins with it. Knows no request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from generator import sampling
from generator.corpus.build import FEWEST_LETTERS, Ingested
from generator.corpus.passages import SEPARATOR
from generator.corpus.store import OPENS_DOCUMENT, OPENS_SECTION, Passage, PassageFile
from generator.corpus.tokens import sentences
from generator.corpusconfig import CorpusConfig
from generator.families import Family, Grounding
from generator.records import Draw, content_id
from generator.sampling import Ground
from generator.scripts import letter_count
from generator.text import word_count
from generator.textfile import Problems, json_lines, text_field

JOIN = "+"  # of the ids of two passages
MOST_EXAMPLES = 16
_OPENS = {"sections": OPENS_SECTION, "documents": OPENS_DOCUMENT}
_FOCUS_WORDS = (6, 45)
_LETTER_SHARE = 0.6  # of a sentence's characters: below, it is code or a table
# What begins so speaks of something that the sentence does not name.
_MARK = re.compile(r"^(?:[-*•・]|\d+[.)]) +")
_POINTS_BACK = re.compile(
    r"(?:He|She|It|They|This|That|These|Those|His|Her|Its|Their|There|Such|Here|Both|However|But|"
    r"Thus|So|And|Then|Also)\b|[a-z]"
    # No \b behind these: the next letter is one of a word, too.
    r"|その|それ|この|これ|ここ|あの|彼|また|しかし|そして|だから|つまり|例えば|しかも"
)


class Grounds(Sequence[Ground]):
    """The draws of one family over a corpus, round by round: 8 bytes a passage."""

    def __init__(
        self,
        passages: PassageFile,
        places: NDArray[np.int64],
        rounds: int,
        pair: tuple[Mapping[str, float], tuple[str, ...]] | None = None,
        partners: NDArray[np.int64] | None = None,
    ) -> None:
        self._passages, self._places, self._rounds = passages, places, rounds
        self._pair, self._partners = pair, partners

    def __len__(self) -> int:
        return len(self._places) * self._rounds

    @overload
    def __getitem__(self, index: int) -> Ground: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Ground]: ...
    def __getitem__(self, index: int | slice) -> Ground | Sequence[Ground]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        number, at = divmod(range(len(self))[index], len(self._places))
        place = int(self._places[at])
        passage, language = self._passages.id(place), self._passages.language(place)
        if self._pair is not None:
            weights, key = self._pair
            others = {code: weight for code, weight in weights.items() if code != language}
            asked = sampling.choose(others, "language", *key, passage, str(number))
            language = f"{asked}-{language}"
        if self._partners is not None:
            passage += JOIN + self._passages.id(int(self._partners[place]))
        return Ground(passage, language, number)


@dataclass(frozen=True)
class Corpus:
    """The documents of a run, as its families see them."""

    config: CorpusConfig
    passages: PassageFile
    ingested: Ingested
    seed: int

    @property
    def key(self) -> str:
        """A hash of all that decides what is drawn from it."""
        rounds = str(self.config.per_passage)
        return content_id(self.ingested.digest, rounds, self._examples_json)

    def grounds(self, name: str, family: Family, form: str, run: Mapping[str, float]) -> Grounds:
        """The draws of a family; empty where no passage suits it. `run`: languages and weights."""
        grounding = family.grounded or Grounding()
        written = set(family.forms[form].languages) or set(run)
        is_pair = family.languages == "pair"
        of = set(self.ingested.codes) if is_pair else written & set(run)
        if isinstance(family.languages, tuple):
            of &= set(family.languages)
        if is_pair:
            of = {code for code in of if set(run) - {code}}
        partners = self._partners if grounding.passages == 2 else None
        places = self._ordered(self._chosen(grounding, of, partners), name)
        rounds = grounding.per_passage or self.config.per_passage
        pair = (run, (str(self.seed), name)) if is_pair else None
        return Grounds(self.passages, places, rounds, pair, partners)

    def variables(self, draw: Draw) -> dict[str, str]:
        """What a template sees of a draw's passages; see docs/taxonomy.md."""
        first, *rest = (self._passage(passage_id) for passage_id in draw.passage.split(JOIN))
        found = {"examples": self._examples_json, **_seen(first, self._focus(first, draw))}
        for second in rest:
            seen = _seen(second, self._focus(second, draw))
            found |= {f"second_{name}": text for name, text in seen.items()}
        return found

    @cached_property
    def examples(self) -> tuple[Mapping[str, str], ...]:
        """The user's own pairs. Raises InputError with every bad line."""
        path = self.config.examples
        return _read_examples(path) if path else ()

    @cached_property
    def _examples_json(self) -> str:
        return json.dumps([dict(pair) for pair in self.examples], ensure_ascii=False)

    @cached_property
    def _passage(self) -> Any:
        return lru_cache(maxsize=256)(lambda key: self.passages[self.passages.find(key)])

    def _focus(self, passage: Passage, draw: Draw) -> str:
        """A sentence of the passage, another for each of its draws while there are some."""
        found = _telling(passage.text)
        key = ("focus", str(self.seed), passage.id)
        found.sort(key=lambda item: (item[1], sampling.uniform(*key, item[0])))
        return found[draw.index % len(found)][0]

    def _chosen(
        self, grounding: Grounding, languages: set[str], partners: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        index = self.passages.places
        codes = [place for place, code in enumerate(self.passages.languages) if code in languages]
        wanted = np.isin(index["language"], codes)
        if grounding.of in _OPENS:
            wanted &= (index["opens"] & _OPENS[grounding.of]) > 0
        if partners is not None:
            wanted &= partners >= 0
        return np.flatnonzero(wanted).astype(np.int64)

    def _ordered(self, places: NDArray[np.int64], name: str) -> NDArray[np.int64]:
        """By a hash of id, seed and family; the ids are hashes already."""
        salt = np.uint64(int(sampling.uniform("order", str(self.seed), name) * 2**63) | 1)
        keys = (self.passages.places["id"][places] ^ salt) * salt
        return places[np.argsort(keys, kind="stable")]

    @cached_property
    def _partners(self) -> NDArray[np.int64]:
        """Of each passage its neighbour in the same document: the next, else the one before."""
        documents = np.asarray(self.passages.places["document"])
        partners = np.full(len(documents), -1, dtype=np.int64)
        same = np.flatnonzero(documents[1:] == documents[:-1])
        partners[same + 1] = same
        partners[same] = same + 1
        return partners


def _seen(passage: Passage, focus: str) -> dict[str, str]:
    return {
        "passage": passage.text,
        "document": passage.full,
        "title": passage.path[0] if passage.path else "",
        "heading": passage.path[-1] if passage.path else "",
        "title_path": SEPARATOR.join(passage.path),
        "focus": focus,
        "without_focus": _without(passage, focus),
    }


def _without(passage: Passage, focus: str) -> str:
    """The passage and its titles but for a sentence; "" where nearly nothing else is left.

    A title alone is no passage: filters drop a record whose positive is empty.
    """
    words = r"\s+".join(map(re.escape, focus.split()))  # of items, each on a line of its own
    rest = re.sub(words, " ", passage.text, count=1).strip()
    return f"{passage.title} {rest}".strip() if letter_count(rest) >= FEWEST_LETTERS else ""


def _telling(text: str) -> list[tuple[str, int]]:
    """The sentences that a question may be about, with 1 for those that lean on others."""
    found = []
    low, high = _FOCUS_WORDS
    for paragraph in text.split("\n\n"):
        for whole in sentences(paragraph.replace("\n", " ")):
            sentence = _MARK.sub("", whole)
            letters = letter_count(sentence) / max(1, len(sentence))
            if low <= word_count(sentence) <= high and letters >= _LETTER_SHARE:
                leans = _POINTS_BACK.match(sentence) is not None or sentence.endswith((":", "："))
                found.append((sentence, int(leans)))
    return found or [(" ".join(text.split())[:300], 0)]


def _read_examples(path: Path) -> tuple[Mapping[str, str], ...]:
    problems = Problems(path, 'a line is {"query": …, "passage": …}')
    found = []
    for place, row in json_lines(path, problems):
        query = text_field(row, "query", "question")
        passage = text_field(row, "passage", "positive", "text")
        if query is None or passage is None:
            problems.add(place, 'no "query" or no "passage"')
        else:
            found.append({"query": query, "passage": passage})
    if len(found) > MOST_EXAMPLES:
        problems.add(
            path.name, f"{len(found)} pairs: {MOST_EXAMPLES} are the most that a prompt holds"
        )
    problems.check()
    return tuple(found)
