"""Diversity: coverage, the Vendi score and mean cosine by hand; the run's own numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.config import RunConfig
from generator.dataset.coverage import AxisCoverage
from generator.dataset.vendi import mean_cosine, ngram_vectors, vendi_score
from generator.diversity import Diversity
from generator.encoders.base import Vectors, normalised
from generator.families import Axis
from generator.records import make_record
from tests.test_pipeline import config, start

__all__ = ["config"]  # the fixture


def test_the_vendi_score_counts_different_texts() -> None:
    """N for n that have nothing in common, 1 for n that are the same, 2 for two of two kinds."""
    same, other = np.eye(4, dtype=np.float32)[:2]
    assert vendi_score(np.eye(4, dtype=np.float32)) == pytest.approx(4)
    assert vendi_score(np.stack([same] * 5)) == pytest.approx(1)
    assert vendi_score(np.stack([same, same, other, other])) == pytest.approx(2)
    thirds = exp(-(2 / 3 * log(2 / 3) + 1 / 3 * log(1 / 3)))
    assert vendi_score(np.stack([same, same, other])) == pytest.approx(thirds)
    assert vendi_score(np.empty((0, 3), dtype=np.float32)) == 0


@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 99))
def test_either_side_gives_the_same_score(count: int, width: int, seed: int) -> None:
    """The kernel of texts and that of dimensions have the same eigenvalues; 1 <= score <= n."""
    draw = np.random.default_rng(seed)
    vectors = normalised(draw.normal(size=(count, width)).astype(np.float32))
    kernel = np.linalg.eigvalsh(vectors.astype(float) @ vectors.T.astype(float) / count)
    kernel = kernel[kernel > 1e-12]
    assert vendi_score(vectors) == pytest.approx(np.exp(-(kernel * np.log(kernel)).sum()), rel=1e-3)
    assert 1 - 1e-3 <= vendi_score(vectors) <= count + 1e-3
    pairs = [float(vectors[i] @ vectors[j]) for i in range(count) for j in range(count) if i != j]
    assert mean_cosine(vectors) == pytest.approx(np.mean(pairs), abs=1e-4)


def test_texts_are_alike_by_their_ngrams_in_any_script() -> None:
    """The same but for case and spaces: 1; nothing in common: 0; Japanese as well."""
    vectors = ngram_vectors(["What is a harbour?", "what is a  HARBOUR", "Zebras run by"])
    assert mean_cosine(vectors[:2]) == pytest.approx(1)
    assert mean_cosine(vectors[1:]) == pytest.approx(0, abs=0.05)
    japanese = ngram_vectors(["港とは何ですか。", "港とは何ですか", "虎は草原をよく走る"])
    assert mean_cosine(japanese[:2]) == pytest.approx(1)
    assert mean_cosine(japanese[1:]) == pytest.approx(0, abs=0.05)
    assert vendi_score(ngram_vectors(["", "…"])) == 0


def test_coverage_by_hand() -> None:
    """Seen of possible, entropy over its highest, and what stands above its weight."""
    axis = Axis.model_validate({"values": {"a": 1, "b": 1, "c": 2}})
    coverage = AxisCoverage({"f": axis})
    for value in "aaaaaabb":
        coverage.add("f", value)
    found = coverage.to_dict()
    assert (found["values"], found["seen"], found["coverage"]) == (3, 2, 0.6667)
    assert found["reachable"] == 1
    entropy = -(0.75 * log(0.75) + 0.25 * log(0.25)) / log(3)
    assert found["evenness"] == round(entropy, 4)
    assert found["most"] == [{"value": "a", "records": 6, "times": 3.0}]


def test_few_records_cannot_cover_many_values() -> None:
    """`reachable` says how much of the axis so few could."""
    coverage = AxisCoverage({"f": Axis(values=tuple(map(str, range(100))))})
    for value in range(10):
        coverage.add("f", str(value))
    found = coverage.to_dict()
    assert found["coverage"] == found["reachable"] == 0.1
    assert found["evenness"] == 1


def test_families_may_have_other_values_under_one_name() -> None:
    """The possible values are those of all of them."""
    axes = {"f": Axis(values=("1", "2")), "g": Axis(values=("2", "3", "4"))}
    coverage = AxisCoverage(axes)
    coverage.add("f", "1")
    coverage.add("g", "9")  # of an older taxonomy
    assert coverage.to_dict()["values"] == 5


def test_an_encoder_is_called_once_with_the_sample() -> None:
    """Bounded, whatever the number of records; its name stands beside the score."""
    asked: list[int] = []

    def encode(texts: Sequence[str]) -> Vectors:
        asked.append(len(texts))
        return np.eye(len(texts), dtype=np.float32)

    found = Diversity(encode=encode, encoder="mine", compared=7)
    for number in range(30):
        found.add(
            make_record(
                family="f", task="t", language="ja", query=f"質問{number}", positives=("答え",)
            )
        )
    told = found.to_dict()
    assert asked == [7]
    assert told["queries"]["encoder"] == {"name": "mine", "vendi": 7.0, "mean_cosine": 0.0}
    assert told["queries"]["sampled"] == 7
    assert told["instructions_per_1000"] == round(1000 / 30, 1)
    assert told["languages"]["ja"]["sampled"] == 30
    assert told["languages"]["ja"]["distinct_3"] > told["languages"]["ja"]["distinct_1"]


def test_a_run_tells_what_it_was_drawn_from(config: Callable[..., RunConfig]) -> None:
    """Axes of examples, of brainstorming calls and the languages; in stats.json and the card."""
    summary, _ = start(config())
    found = json.loads((summary.folder / "stats.json").read_text())["diversity"]
    assert found["axes"].keys() == {"topic", "tone", "language"}
    assert found["axes"]["topic"]["coverage"] == 1
    assert found["axes"]["topic"]["values"] == 3
    assert 1 < found["queries"]["ngrams"]["vendi"] <= found["queries"]["sampled"]
    card = (summary.folder / "dataset" / "README.md").read_text()
    assert "| topic | 3 | 3 | 100.0 % |" in card
    assert "Vendi score" in card
