"""Metrics against trec_eval (through ir_measures), scipy, and tables by hand."""

from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, R, Success, nDCG
from scipy import stats

from generator.evaluation.metrics import judge, mean_ranks, measure, pearson, ranked, spearman

DOCUMENTS = [f"d{number}" for number in range(24)]
ORACLES = {
    "ndcg@3": nDCG @ 3,
    "ndcg@10": nDCG @ 10,
    "recall@3": R @ 3,
    "recall@10": R @ 10,
    "mrr@100": RR,  # trec_eval has no cut-off here
    "map@10": AP @ 10,
    "map@100": AP @ 100,
    "hit@1": Success @ 1,
    "hit@10": Success @ 10,
}
# Few distinct values, so that most rankings have ties; the last two differ only beyond float32.
SCORES = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0, 0.1, 0.1 + 1e-12])
RUNS = st.dictionaries(st.sampled_from(DOCUMENTS), SCORES, min_size=1)
QRELS = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(0, 3), min_size=1).filter(
    lambda judged: any(judged.values())
)
FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)


@settings(max_examples=200)
@given(run=RUNS, qrels=QRELS)
def test_measures_equal_trec_eval_with_ties_and_grades(
    run: dict[str, float], qrels: dict[str, int]
) -> None:
    """Every measure is trec_eval's to 1e-9, whatever the ties and grades."""
    judged = judge(ranked(list(run), list(run.values())), qrels)
    expected = ir_measures.pytrec_eval.calc_aggregate(ORACLES.values(), {"q": qrels}, {"q": run})
    for name, oracle in ORACLES.items():
        assert measure(judged, name) == pytest.approx(expected[oracle], abs=1e-9), name


def test_equal_scores_are_ordered_by_id_descending() -> None:
    """A tie goes to the higher id, as strings and as trec_eval has it; not to who came first."""
    assert ranked(["d1", "d9", "d10", "d2"], [0.5, 0.5, 0.5, 0.7]) == ["d2", "d9", "d10", "d1"]


def test_a_ranking_by_hand() -> None:
    """Grades 0 2 0 1 with another relevant document unfound: each measure's own arithmetic."""
    judged = judge(["a", "b", "c", "d"], {"b": 2, "d": 1, "e": 1, "a": -1})
    gained = 2 / math.log2(3) + 1 / math.log2(5)
    best = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert measure(judged, "ndcg@10") == pytest.approx(gained / best)
    assert measure(judged, "recall@4") == pytest.approx(2 / 3)
    assert measure(judged, "mrr@10") == 0.5
    assert measure(judged, "mrr@1") == 0
    assert measure(judged, "map@10") == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert [measure(judged, f"hit@{k}") for k in (1, 2)] == [0, 1]


@pytest.mark.parametrize("name", ["ndcg@10", "recall@10", "mrr@10", "map@10", "hit@10"])
def test_nothing_relevant_or_nothing_found_is_zero(name: str) -> None:
    """A query without relevant documents, and one without results, score 0."""
    assert measure(judge(["a"], {"a": 0}), name) == 0
    assert measure(judge([], {"a": 1}), name) == 0


@given(pairs=st.lists(st.tuples(FINITE, st.integers(0, 5)), min_size=3, max_size=40))
def test_correlations_equal_scipy(pairs: list[tuple[float, int]]) -> None:
    """Spearman with ties, and Pearson, to 1e-9."""
    first, second = np.array(pairs, dtype=np.float64).T
    # Where the values differ by a rounding error alone, scipy itself warns and is not exact.
    if np.ptp(first) <= 1e-6 * max(1.0, float(np.abs(first).max())) or np.ptp(second) == 0:
        return
    assert spearman(first, second) == pytest.approx(
        stats.spearmanr(first, second).statistic, abs=1e-9
    )
    assert pearson(first, second) == pytest.approx(
        stats.pearsonr(first, second).statistic, abs=1e-9
    )


def test_equal_values_share_their_mean_rank() -> None:
    """10, 20, 20, 30 have the ranks 1, 2.5, 2.5, 4."""
    assert mean_ranks([20, 10, 30, 20]).tolist() == [2.5, 1, 4, 2.5]


def test_a_constant_side_has_no_correlation() -> None:
    """A model that gives every pair one score has no Spearman, rather than 0 or 1."""
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]))
    assert math.isnan(pearson([1], [1]))
