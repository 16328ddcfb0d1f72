"""Which held-out questions make a run's score."""

from __future__ import annotations

import pytest

from generator.records import Provenance, Record, make_record
from generator.scores import family_scores, mean_scores, score_name


def record(family: str, provenance: Provenance) -> Record:
    return make_record(
        family=family, task="find", language="en", query="q", positives=("p",),
        provenance=provenance,
    )  # fmt: skip


ASKED = record("question", Provenance(draw="{}", requests=("a",), passage="x"))
TAKEN = record("heading", Provenance(draw="{}", passage="x"))
IMPORTED = record("pairs", Provenance(passage="x"))


def test_pieces_of_documents_are_scored_apart() -> None:
    rows = (TAKEN, ASKED, IMPORTED, ASKED, TAKEN)
    families = family_scores(rows, (1.0, 0.0, 0.3, 0.0, 0.8), (1.0, 0.5, 0.6, 0.1, 1.0))
    assert [(one.family, one.written, one.questions) for one in families] == [
        ("pairs", True, 1), ("question", True, 2), ("heading", False, 2),
    ]  # fmt: skip
    assert (families[2].before, families[2].after) == pytest.approx((0.9, 1.0))
    mean = mean_scores(families)
    assert mean["questions"] == 3
    assert (mean["before"], mean["after"]) == pytest.approx((0.1, 0.4))
    assert score_name(families) == "held-out questions that were written"
    assert score_name(families[:2]) == "held-out questions"


def test_where_nobody_wrote_a_question_the_pieces_are_what_there_is() -> None:
    families = family_scores((TAKEN,), (0.2,), (0.4,))
    assert mean_scores(families) == {"questions": 1, "before": 0.2, "after": 0.4}
    assert score_name(families) == "held-out titles and sentences of the documents"
    assert mean_scores(family_scores((), (), ())) == {
        "questions": 0, "before": None, "after": None,
    }  # fmt: skip
