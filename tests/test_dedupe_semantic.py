"""Duplicates in meaning: exact neighbours before, scopes, vectors kept, thresholds afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from generator import dedupestage, dedupevectors
from generator.counts import Counts
from generator.dedupe import semantic
from generator.dedupe.semantic import SemanticIndex
from generator.dedupeconfig import DedupeConfig
from generator.dedupestage import dedupe_records
from generator.encoders import Kind, Vectors, normalised
from generator.progress import Silent
from generator.recordfile import read_lines
from generator.records import Record, Rejected, make_record, to_json
from generator.runs import RunFolder

SYNONYMS = {"automobile": "car", "quick": "fast", "purchase": "buy", "inexpensive": "cheap"}
QUERIES = (
    "where can I buy a fast car", "where can I purchase a quick automobile",
    "why is the sea salty", "how do bees find their way home",
    "where can I purchase a fast car cheap", "why is the sea so salty",
)  # fmt: skip


@dataclass
class WordEncoder:
    """Sums of a vector a word, the same for synonyms; remembers what it was shown."""

    name: str = "words"
    seen: list[str] = field(default_factory=list)

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
        """One vector of length 1 a text."""
        assert (kind, task) == ("document", None)
        self.seen += texts
        return normalised(np.array([self._sum(text) for text in texts]))

    def _sum(self, text: str) -> NDArray[np.float64]:
        words = [SYNONYMS.get(word, word) for word in text.split()]
        return np.sum(
            [np.random.default_rng(crc32(word.encode())).normal(size=64) for word in words], axis=0
        )


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> WordEncoder:
    """What every name of an encoder opens."""
    found = WordEncoder()
    monkeypatch.setattr(dedupevectors, "open_encoder", lambda *_, **__: found)
    return found


def record(query: str, family: str = "f", language: str = "en", task: str = "t") -> Record:
    """A record whose positive is like no other's."""
    return make_record(
        family=family, task=task, language=language, query=query,
        positives=(Random(query + family + language + task).randbytes(40).hex(),),
    )  # fmt: skip


def run_of(folder: Path, items: Sequence[Record]) -> RunFolder:
    """A run whose filter stage passed these records on."""
    run = RunFolder(folder)
    run.stage("filter").parent.mkdir(parents=True, exist_ok=True)
    run.stage("filter").write_text("".join(to_json(item) + "\n" for item in items))
    return run


def dedupe(run: RunFolder, **keys: Any) -> Counts:
    """The stage with these keys of its semantic part."""
    config = DedupeConfig.model_validate({"semantic": {"encoder": "words", **keys}})
    return dedupe_records(run, config, Silent())


def dropped(run: RunFolder) -> list[tuple[str, float | None]]:
    """The queries that went for their meaning, and the cosines."""
    items = read_lines(Rejected, run.stage_rejected("dedupe"))
    return [
        (item.record.query, item.score)
        for item in items
        if item.record and item.reason == "semantic_duplicate"
    ]


def test_the_same_in_other_words_goes(tmp_path: Path, encoder: WordEncoder) -> None:
    """For the most similar record before it, with the cosine; off without an encoder."""
    items = [record(query) for query in QUERIES]
    run = run_of(tmp_path, items)
    dedupe(run)
    rejected = list(read_lines(Rejected, run.stage_rejected("dedupe")))
    assert dropped(run)[0] == (QUERIES[1], 1.0)
    assert rejected[0].partner == items[0].id
    # The first text tells how wide a vector is, before there is a file to keep it in.
    assert sorted(encoder.seen) == sorted([QUERIES[0], *QUERIES])
    dedupe_records(run, DedupeConfig(), Silent())
    assert not dropped(run)


def test_another_threshold_encodes_and_compares_nothing(
    tmp_path: Path, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the saved threshold on; a lower one compares anew, with the vectors that are there."""
    run = run_of(tmp_path, [record(query) for query in QUERIES])
    dedupe(run, threshold=0.99)
    assert [query for query, _ in dropped(run)] == [QUERIES[1]]
    encoder.seen.clear()
    with monkeypatch.context() as patched:
        patched.setattr(dedupestage, "compare", None)
        dedupe(run, threshold=0.85)
    lower = [query for query, _ in dropped(run)]
    assert lower == [QUERIES[1], QUERIES[4], QUERIES[5]]
    dedupe(run, threshold=0.2)
    assert {query for query, _ in dropped(run)} >= set(lower)
    assert encoder.seen == []


@pytest.mark.parametrize(("scope", "stay"), [("task", 4), ("family", 3), ("all", 1)], ids=str)
@pytest.mark.usefixtures("encoder")
def test_scopes(tmp_path: Path, scope: str, stay: int) -> None:
    """Records of another task, family or language are compared where the scope holds them."""
    items = [
        record(QUERIES[0]), record(QUERIES[1], task="u"), record(QUERIES[1], family="g"),
        record(QUERIES[1], language="ja"),
    ]  # fmt: skip
    run = run_of(tmp_path, items)
    assert dedupe(run, scope=scope).passed.total() == stay


def test_a_longer_and_a_shorter_source(tmp_path: Path, encoder: WordEncoder) -> None:
    """Only new texts are encoded, and every verdict is that of the whole at once."""
    items = [record(query) for query in QUERIES]
    whole = run_of(tmp_path / "whole", items)
    dedupe(whole)
    encoder.seen.clear()
    run = run_of(tmp_path / "run", items[:3])
    dedupe(run)
    run_of(tmp_path / "run", items)
    dedupe(run)
    assert dropped(run) == dropped(whole)
    assert sorted(encoder.seen) == sorted([QUERIES[0], *QUERIES])
    config = DedupeConfig.model_validate({"semantic": {"encoder": "words"}})
    assert dedupestage.can_shorten(run, config)
    run_of(tmp_path / "run", items[:3])
    dedupestage.shorten(run, config, 3)
    others = [*items[:3], record("how is cheese made"), record("why is the sea salty then")]
    run_of(tmp_path / "run", others)
    dedupe(run)
    fresh = run_of(tmp_path / "fresh", others)
    dedupe(fresh)
    assert dropped(run) == dropped(fresh)


@dataclass(frozen=True)
class Rows:
    """Vectors in memory."""

    vectors: Vectors

    def rows(self, indices: NDArray[np.int64]) -> Vectors:
        """Vectors [indices, dim]."""
        return self.vectors[indices]


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(0, 30))
def test_neighbours_are_those_of_all_comparisons(seed: int, count: int, known: int) -> None:
    """Block by block, in two steps or at once: the most similar before, of the same scope."""
    rng = np.random.default_rng(seed)
    vectors = normalised(rng.normal(size=(count, 3)))
    scopes = rng.integers(0, 3, count).tolist()
    order = rng.permutation(count)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(semantic, "SMALLEST", 2)
        patched.setattr(semantic, "LARGEST", 4)
        index = SemanticIndex(lambda: Rows(vectors), 0.5)
        for number, scope in enumerate(scopes):
            index.add(record(f"q{number}", family=f"f{scope}"))
        first = index.nearest(order[:known])
        found = index.nearest(order, first)
    for place, item in enumerate(order.tolist()):
        before = [
            (round(float(vectors[item] @ vectors[other]), 4), at)
            for at, other in enumerate(order[:place].tolist())
            if scopes[other] == scopes[item]
        ]
        score, _ = max(before, default=(0.0, -1))
        assert found.scores[place] == pytest.approx(score if score >= 0.5 else 0, abs=2e-4)
        if score >= 0.51:
            assert before[[at for _, at in before].index(found.partners[place])][0] >= score - 2e-4
