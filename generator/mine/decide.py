"""Which candidates become negatives of a record, and why each of the others does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.mine.candidates import Candidates
from generator.mine.exclude import Exclusions, NearPositive
from generator.mine.rules import cuts, promotion
from generator.mine.sample import taking_order
from generator.mineconfig import MineConfig
from generator.records import Record
from generator.search.pool import Pool

NEGATIVE, PROMOTED = "negative", "promoted"
NOT_TAKEN = "not_taken"
OPEN = ""  # not decided yet

Reasons = NDArray[np.object_]

# Every decision, with what it means; docs/mining.md has the list.
DECISIONS = {
    NEGATIVE: "taken",
    PROMOTED: "a positive from now on (mine.promote)",
    NOT_TAKEN: "allowed, but enough others were taken before it",
    "equals_positive": "a text of the same normal form as a positive",
    "answers_same_query": "a positive of another record with the same query",
    "equals_query": "the query itself",
    "source_passage": "the passage that the record was written from",
    "already_negative": "a negative that the record has",
    "before_rank_min": "ranked too high (mine.rank_min)",
    "beyond_rank_max": "ranked too low (mine.rank_max)",
    "percent_of_positive": "scored too near the positive (mine.percent)",
    "margin_of_positive": "scored too near the positive (mine.margin)",
    "above_max_score": "scored too high (mine.max_score)",
    "below_min_score": "scored too low (mine.min_score)",
    "unscored": "the teacher gave no score, to it or to the positive",
    "near_positive": "nearly the text of a positive (mine.near_threshold)",
}


@dataclass(frozen=True, slots=True)
class Decided:
    """`decisions` [k] of a record's candidates; `taken` and `promoted` are places among them.

    `taken` is in the order of taking; `ranks` [k] counts from 0 and is -1 where a text may never
    be a negative.
    """

    decisions: list[str]
    ranks: list[int]
    taken: list[int]
    promoted: list[int]


def decide(
    record: Record,
    found: Candidates,
    pool: Pool,
    answered: Mapping[int, set[int]],
    config: MineConfig,
) -> Decided:
    """The decision on each candidate of a record: a pure function of its arguments."""
    excluded = Exclusions.of(record, answered, keep_written=config.keep_written)
    decisions = np.array(excluded.of_candidates(pool, found.indices), dtype=object)
    ranks, basis = _ranks(decisions), _basis(found, config)
    _cut_by_rank(decisions, ranks, config)
    _cut_by_score(decisions, basis, found.positives, config)
    near = NearPositive(record, config.near_threshold)
    promoted = _promote(decisions, basis, found, pool, near, config)
    allowed = np.flatnonzero(decisions == OPEN)
    order = taking_order(
        basis[allowed],
        lambda: [pool.ids[index].tobytes() for index in found.indices[allowed]],
        record=record.id,
        temperature=config.temperature,
        seed=config.seed,
    )
    taken = _take(decisions, allowed[order], found, pool, near, config.negatives)
    return Decided(decisions.tolist(), ranks.tolist(), taken, promoted)


def _ranks(excluded: Reasons) -> NDArray[np.int64]:
    allowed = excluded == OPEN
    return np.where(allowed, np.cumsum(allowed) - 1, -1)


def _basis(found: Candidates, config: MineConfig) -> NDArray[np.float64]:
    """What cuts and sampling go by: the teacher's scores, or the search's without a teacher.

    NaN where a cut goes by a positive that the teacher gave no score: nothing would be cut.
    """
    if config.teacher_name is None:
        return found.scores
    is_relative = config.percent is not None or config.margin is not None
    if is_relative and np.isnan(found.positives).all():
        return np.full_like(found.teacher, np.nan)
    return found.teacher


def _cut_by_rank(decisions: Reasons, ranks: NDArray[np.int64], config: MineConfig) -> None:
    _drop(decisions, ranks < config.rank_min, "before_rank_min")
    _drop(decisions, ranks >= config.rank_max, "beyond_rank_max")


def _cut_by_score(
    decisions: Reasons, basis: NDArray[np.float64], positives: NDArray[np.float64],
    config: MineConfig,
) -> None:  # fmt: skip
    _drop(decisions, np.isnan(basis), "unscored")
    for cut in cuts(positives, config):
        _drop(decisions, basis >= cut.limit, cut.reason)
    if config.min_score is not None:
        _drop(decisions, basis < config.min_score, "below_min_score")


def _drop(decisions: Reasons, which: NDArray[np.bool_], reason: str) -> None:
    """Those that are still open and meant have this reason from now on."""
    decisions[which & (decisions == OPEN)] = reason


def _promote(
    decisions: Reasons, basis: NDArray[np.float64], found: Candidates, pool: Pool,
    near: NearPositive, config: MineConfig,
) -> list[int]:  # fmt: skip
    """The false negatives that score like positives; copies of one stay dropped."""
    promoted: list[int] = []
    for place in np.flatnonzero(basis >= promotion(found.positives, config)).tolist():
        if decisions[place].endswith(("_of_positive", "_max_score")):
            if near(pool.text(int(found.indices[place]))):
                decisions[place] = "near_positive"
            else:
                decisions[place] = PROMOTED
                promoted.append(place)
    return promoted


def _take(
    decisions: Reasons, order: NDArray[np.int64], found: Candidates, pool: Pool,
    near: NearPositive, wanted: int,
) -> list[int]:  # fmt: skip
    """The first allowed ones. A text is only compared when its turn comes: it is the same set."""
    taken: list[int] = []
    for number, place in enumerate(order.tolist()):
        if len(taken) == wanted:
            decisions[order[number:]] = NOT_TAKEN
            break
        if near(pool.text(int(found.indices[place]))):
            decisions[place] = "near_positive"
        else:
            decisions[place] = NEGATIVE
            taken.append(place)
    return taken
