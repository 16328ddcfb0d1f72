"""Mining's parts: cuts, sampling, exclusions, decisions, teachers, the judge."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import RequestFailed
from generator.mine.apply import applied
from generator.mine.candidates import CandidateFile, Candidates
from generator.mine.decide import DECISIONS, decide
from generator.mine.exclude import answers
from generator.mine.judge import grade, grade_of, judge_prompt
from generator.mine.rules import cuts, promotion, share_of
from generator.mine.sample import taking_order
from generator.mine.sources import Asked, RandomSource
from generator.mineconfig import MineConfig
from generator.records import Completion, Params, Prompt, Provenance, Record, make_record
from generator.search.fusion import reciprocal_rank_fusion
from generator.search.hits import top_k
from generator.search.passages import Passage
from generator.search.pool import Pool, build_pool

NAN = float("nan")
LONG = "Bees store honey in wax combs, and a beekeeper takes some of it out in summer."


def _config(**keys: object) -> MineConfig:
    return MineConfig.model_validate({"encoder": "some", **keys})


MakePool = Callable[..., Pool]


@pytest.fixture
def make_pool(tmp_path: Path) -> Iterator[MakePool]:
    """A pool of texts, closed after the test."""
    made: list[Pool] = []

    def make(*texts: str, others: tuple[str, ...] = ()) -> Pool:
        passages = [Passage(f"p{i}", text) for i, text in enumerate(texts)]
        made.append(build_pool(passages, others, tmp_path / "pool", key="k"))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


def _record(query: str = "who keeps bees", *positives: str, **fields: object) -> Record:
    return make_record(
        family="f", task="t", language="en", query=query, positives=positives or (LONG,),
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def _found(scores: list[float], positives: list[float], written: int = 0) -> Candidates:
    values = np.array(scores)
    return Candidates(
        np.arange(len(scores)), values, values, np.array(positives), np.full(written, 0.1)
    )


@given(st.floats(-10, 10), st.floats(0.5, 1))
def test_a_share_of_a_score_never_lies_above_it(score: float, share: float) -> None:
    """For negative scores p · s would, and nothing would be cut."""
    assert share_of(score, share) <= score
    assert share_of(0.0, share) == 0
    if score > 0:
        assert share_of(score, share) == pytest.approx(share * score)


def test_cuts_go_by_the_lowest_positive() -> None:
    """A positive without a score does not count; the three cuts hold together."""
    config = _config(margin=0.1, max_score=0.7)
    found = {cut.reason: cut.limit for cut in cuts([0.9, 0.6, NAN], config)}
    assert found == {
        "percent_of_positive": pytest.approx(0.57),
        "margin_of_positive": pytest.approx(0.5),
        "above_max_score": 0.7,
    }
    assert [cut.reason for cut in cuts([NAN], config)] == ["above_max_score"]
    assert cuts([-2.0], _config())[0].limit == pytest.approx(-2.1)
    assert promotion([0.8, 0.6], _config(promote=1.0)) == pytest.approx(0.6)
    assert promotion([0.8], _config()) == float("inf")


def test_taking_order_is_the_hardest_first_or_a_draw_of_its_own() -> None:
    """A draw depends on the record and the candidate, not on the other candidates."""
    names = [bytes([i]) for i in range(20)]
    scores = np.linspace(0, 1, 20)
    assert taking_order(scores, lambda: names, record="r", temperature=None, seed=0)[0] == 19
    drawn = taking_order(scores, lambda: names, record="r", temperature=0.2, seed=0)
    again = taking_order(scores[:10], lambda: names[:10], record="r", temperature=0.2, seed=0)
    assert [i for i in drawn.tolist() if i < 10] == again.tolist()
    assert drawn.tolist() != taking_order(
        scores, lambda: names, record="q", temperature=0.2, seed=0
    ).tolist()  # fmt: skip


def test_draws_follow_the_softmax() -> None:
    """How often the harder of two comes first, over 4,000 records."""
    scores, names = np.array([0.0, 1.0]), [b"a", b"b"]
    first = [
        taking_order(scores, lambda: names, record=str(i), temperature=0.5, seed=1)[0]
        for i in range(4000)
    ]
    assert np.mean(first) == pytest.approx(1 / (1 + np.exp(-2)), abs=0.02)


def test_every_candidate_has_its_decision(make_pool: MakePool) -> None:
    """One of each kind, in order of score; ranks leave out what may never be a negative."""
    record = _record(
        "who keeps bees", LONG, negatives=("A written one.",),
        provenance=Provenance(passage="gone+p6"),
    )  # fmt: skip
    other = _record("Who keeps bees?", "Anna does.")
    near = LONG.replace("wax combs", "wax cells")
    pool = make_pool(
        LONG.upper(), "anna does", "Who keeps bees!", "a written one", near,
        "Too near the positive.", "Its own passage.", "First rank.", "Good one.", "Good two.",
        "Good three.", "Beyond.",
    )  # fmt: skip
    found = _found([9, 8, 7, 6, 0.88, 0.86, 0.84, 0.7, 0.6, 0.5, 0.4, 0.3], [0.9], written=1)
    config = _config(rank_min=1, rank_max=6, negatives=2)
    decided = decide(record, found, pool, answers([record, other]), config)
    assert decided.decisions == [
        "equals_positive", "answers_same_query", "equals_query", "already_negative",
        "before_rank_min", "percent_of_positive", "source_passage", "negative", "negative",
        "not_taken", "not_taken", "beyond_rank_max",
    ]  # fmt: skip
    assert decided.ranks == [-1, -1, -1, -1, 0, 1, -1, 2, 3, 4, 5, 6]
    assert set(decided.decisions) <= set(DECISIONS)


def test_near_copies_of_the_positive_are_never_taken(make_pool: MakePool) -> None:
    """In any language; without a threshold they are."""
    japanese = "梅雨は北海道と小笠原諸島を除く日本にみられる雨の多い時期のことである。"
    record = _record("何が梅雨か", LONG, japanese)
    pool = make_pool(LONG.replace("combs", "comb"), japanese + "と", "さくらの花が咲く。")
    found = _found([0.5, 0.4, 0.3], [0.9, 0.9])
    decided = decide(record, found, pool, {}, _config())
    assert decided.decisions == ["near_positive", "near_positive", "negative"]
    decided = decide(record, found, pool, {}, _config(near_threshold=None))
    assert decided.decisions == ["negative"] * 3


def test_false_negatives_are_promoted_and_the_id_stays(make_pool: MakePool) -> None:
    """Scores keep the teacher's name; written negatives stay behind the mined ones."""
    record = _record(negatives=("A written one.",))
    pool = make_pool("As good.", "Nearly.", "A negative.", LONG.replace("Bees", "The bees"))
    found = _found([0.95, 0.88, 0.5, 0.99], [0.9], written=1)
    config = _config(promote=1.0)
    decided = decide(record, found, pool, {}, config)
    assert decided.decisions == ["promoted", "percent_of_positive", "negative", "near_positive"]
    mined = applied(record, found, decided, pool, config, "judge")
    assert mined.id == record.id
    assert [positive.text for positive in mined.positives] == [LONG, "As good."]
    assert [(n.text, n.source) for n in mined.negatives] == [
        ("A negative.", "dense"), ("A written one.", "llm"),
    ]  # fmt: skip
    scores = [text.scores[0] for text in (*mined.positives, *mined.negatives)]
    assert [(score.teacher, score.value) for score in scores] == [
        ("judge", 0.9), ("judge", 0.95), ("judge", 0.5), ("judge", 0.1),
    ]  # fmt: skip
    # Mined again, the mined ones give way; the teacher's scores are not doubled.
    found = dataclasses.replace(found, positives=np.array([0.9, 0.95]))
    again = applied(mined, found, decided, pool, config, "judge")
    assert [n.text for n in again.negatives] == ["A negative.", "A written one."]
    assert len(again.positives[0].scores) == 1


def test_what_a_teacher_left_unscored_is_not_taken(make_pool: MakePool) -> None:
    """Nor what is cut by a positive that it left; without any teacher the search's scores rank."""
    pool = make_pool("One.", "Two.")
    scores, none = np.array([0.4, 0.3]), np.array([NAN, NAN])
    some = Candidates(np.arange(2), scores, np.array([NAN, 0.3]), np.array([0.9]), none[:0])
    assert decide(_record(), some, pool, {}, _config()).decisions == ["unscored", "negative"]
    without = Candidates(np.arange(2), scores, none, none[:1], none[:0])
    assert decide(_record(), without, pool, {}, MineConfig()).decisions == ["negative"] * 2
    none_at_all = decide(_record(), without, pool, {}, _config())
    assert none_at_all.decisions == ["unscored"] * 2
    no_positive = Candidates(np.arange(2), scores, scores, none[:1], none[:0])
    assert decide(_record(), no_positive, pool, {}, _config()).decisions == ["unscored"] * 2
    absolute = _config(percent=None, max_score=0.35)
    decided = decide(_record(), no_positive, pool, {}, absolute).decisions
    assert decided == ["above_max_score", "negative"]


def test_a_pool_knows_its_texts_and_holds_each_once(make_pool: MakePool) -> None:
    """Normal form decides; what is only known lies behind what is searchable."""
    pool = make_pool("One text.", "one  TEXT", "", "Two", others=("two!", "Three"))
    assert (len(pool), pool.searchable) == (3, 2)
    assert pool.find(["Three", "ONE TEXT"]).tolist() == [2, 0]
    assert [pool.text(i) for i in range(3)] == ["One text.", "Two", "Three"]
    with pytest.raises(KeyError):
        pool.find(["four"])
    assert pool.content_ids(np.array([1])) == [_record("q", "Two").positives[0].id]


def test_random_candidates_depend_on_the_record_alone() -> None:
    """Not on the block that they are asked in; all different."""
    records = [_record(f"query {i}") for i in range(5)]
    source = RandomSource(50, seed=3)
    whole = source.search(Asked(records, None), 20)
    assert (
        whole.indices[3].tolist()
        == source.search(Asked(records[3:4], None), 20).indices[0].tolist()
    )
    assert len(set(whole.indices[0].tolist())) == 20
    assert source.search(Asked(records, None), 80).indices.shape == (5, 50)


def test_reciprocal_rank_fusion_is_the_papers_sum() -> None:
    """1/(60 + rank), ranks from 1; what one ranking lacks adds nothing."""
    first = top_k(np.array([[3.0, 2.0, 1.0, -np.inf]], dtype=np.float32), 3)
    second = top_k(np.array([[-np.inf, 1.0, -np.inf, 2.0]], dtype=np.float32), 3)
    found = reciprocal_rank_fusion([first, second], 4)
    assert found.indices[0].tolist() == [1, 0, 3, 2]
    assert found.scores[0].tolist() == pytest.approx([2 / 62, 1 / 61, 1 / 61, 1 / 63])


def test_a_killed_candidate_file_goes_on_after_its_last_whole_line(tmp_path: Path) -> None:
    """Another key begins anew; scores come back to seven digits, NaN as NaN."""
    item = Candidates(
        np.array([4, 2]), np.array([0.123456789, 0.1]), np.array([NAN, 1.0]), np.array([0.5]),
        np.array([]),
    )  # fmt: skip
    file = CandidateFile(tmp_path, "k")
    file.append([item, item])
    with file.path.open("a") as lines:
        lines.write('{"indices": [1, ')
    again = CandidateFile(tmp_path, "k")
    assert again.count == 2
    back = list(again)[1]
    assert back.indices.tolist() == [4, 2]
    assert back.scores.tolist() == [0.1234568, 0.1]
    assert np.isnan(back.teacher[0])
    assert CandidateFile(tmp_path, "other").count == 0


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"grade": 3}', 3), ('{"grade": 7}', None), ('{"grade": true}', None), ("Grade: 2.", 2),
        ("It is on a scale of 0 to 3, so: 1", 1), ("2.5", None), ("none", None), ("[1]", 1),
    ],
)  # fmt: skip
def test_grades_of_replies(reply: str, expected: int | None) -> None:
    """JSON first, then the last lone digit."""
    assert grade_of(reply) == expected


def test_a_judge_asks_again_and_gives_up_without_an_error() -> None:
    """Three replies without a grade, or a failed request, are no score."""
    asked: list[Prompt] = []

    async def ask(prompt: Prompt) -> Completion:
        asked.append(prompt)
        if "fails" in prompt.messages[0].content:
            raise RequestFailed("refused", "")
        return Completion("3" if prompt.attempt == 1 else "well {…")

    def graded(query: str) -> float:
        return asyncio.run(grade(ask, "m", query, "a {passage}", Params()))

    assert graded("who?") == 3.0
    assert [prompt.attempt for prompt in asked] == [0, 1]
    assert "Query: who?\n\nPassage: a {passage}" in asked[0].messages[0].content
    assert np.isnan(graded("fails"))
    assert judge_prompt("m", "a", "b", Params()).key == judge_prompt("m", "a", "b", Params()).key
