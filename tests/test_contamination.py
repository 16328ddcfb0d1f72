"""Contamination: what is found of evaluation sets, in English and Japanese, and what is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator import pipeline
from generator.config import RunConfig
from generator.contamination import (
    Checks,
    EvalIndex,
    EvalText,
    Report,
    build_index,
    check,
    eval_texts,
    from_line,
    rejected,
    to_line,
)  # fmt: skip
from generator.contamination.mtebsets import task_rows
from generator.contamination.report import Line
from generator.errors import InputError
from generator.llm.scripted import ScriptedLLM, plausible
from generator.recordfile import read_lines
from generator.records import Prompt, Provenance, Record, Rejected, make_record
from tests.test_pipeline import config, start

__all__ = ["config"]  # the fixture

QUESTION = "How do bees find their way back to the hive after rain?"
JAPANESE = "ミツバチは雨のあとどうやって巣に戻る道を見つけますか。"
PASSAGE = (
    "Bees learn the landmarks around their hive on their first flights and later steer by the sun, "
    "whose place in the sky they work out from the polarised light of any clear patch of it."
)
TEXTS = [
    EvalText("en", "query", "q1", QUESTION),
    EvalText("en", "passage", "p1", PASSAGE),
    EvalText("en", "query", "q2", "What was the name of the storm?"),
    EvalText("en", "query", "q3", "card lost"),
    EvalText("ja", "query", "q1", JAPANESE),
]


@pytest.fixture
def index() -> EvalIndex:
    """A small index of two sets."""
    return build_index(TEXTS)


def found(index: EvalIndex, text: str) -> list[tuple[str, str, str]]:
    return [(match.how, match.set, match.id) for match in index.find([text])[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (QUESTION, ("exact", "en", "q1")),
        ("HOW do bees find  their way back to the hive -- after rain", ("exact", "en", "q1")),
        ("How do wasps find their way back to the hive after rain?", ("one_word", "en", "q1")),
        ("How do bees find their way back to the hive after heavy rain?", ("one_word", "en", "q1")),
        ("How do bees find their way to the hive after rain?", ("one_word", "en", "q1")),
        (f"He asked: {QUESTION} Nobody knew.", ("ngram", "en", "q1")),
        ("It is said that " + PASSAGE[40:140] + " and so on.", ("ngram", "en", "p1")),
        (
            PASSAGE.replace("and later", "but later").replace("work out", "make out"),
            ("near", "en", "p1"),
        ),
        ("ミツバチは雨のあとどうやって巣に戻る道を見つけますか？", ("exact", "ja", "q1")),
        ("アシナガバチは雨のあとどうやって巣に戻る道を見つけますか。", ("one_word", "ja", "q1")),
        ("ミツバチは雪のあとどうやって巣に戻る道を見つけますか。", ("one_word", "ja", "q1")),
        (f"先生に聞いた。{JAPANESE}誰も知らなかった。", ("ngram", "ja", "q1")),
    ],
)
def test_a_planted_text_is_found(
    index: EvalIndex, text: str, expected: tuple[str, str, str]
) -> None:
    """Equal, but for one word, inside a longer text, nearly equal: the surest check names it."""
    assert found(index, text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "How do birds find their way back to the nest after rain?",  # two words
        "What was the name of the rider who won in 1952?",  # the beginning of q2 alone
        "Card lost!",  # too short to be compared
        "Bees learn the landmarks around their hive.",
        "ミツバチは冬のあいだどこで過ごしますか。",
        "",
        "…!?",
    ],
)
def test_a_text_of_its_own_is_not(index: EvalIndex, text: str) -> None:
    """Common beginnings, the same subject, texts without words."""
    assert found(index, text) == []


def test_every_check_can_be_turned_off() -> None:
    """Then nothing but an equal text is found."""
    index = build_index(TEXTS, Checks(one_word=False, ngram_words=None, near_threshold=None))
    assert found(index, QUESTION.upper()) == [("exact", "en", "q1")]
    assert found(index, f"He asked: {QUESTION} Nobody knew.") == []
    assert found(index, QUESTION.replace("bees", "wasps")) == []


def test_a_text_that_stands_in_two_sets_is_found_in_both() -> None:
    """One match a set, the best one."""
    texts = [*TEXTS, EvalText("other", "text", "1", QUESTION), EvalText("other", "text", "2", "a")]
    assert found(build_index(texts), QUESTION) == [("exact", "en", "q1"), ("exact", "other", "1")]


def test_an_empty_index_finds_nothing() -> None:
    """No text, or none that is long enough."""
    assert found(build_index([]), QUESTION) == []
    assert found(build_index([TEXTS[3]]), QUESTION) == []


def record(query: str, *, positive: str = "Nothing of the kind.", **fields: Any) -> Record:
    return make_record(
        family="f", task="t", language="en", query=query, positives=(positive,), **fields
    )


def test_all_sides_are_compared_but_the_users_own_passages(index: EvalIndex) -> None:
    """Query, positives and negatives; a passage that was given is no leak."""
    records = [
        record(QUESTION),
        record("a b c d", positive=PASSAGE),
        record("a b c d", negatives=("no, no, no", QUESTION)),
        record("a b c d", positive=PASSAGE, provenance=Provenance(passage="p9")),
    ]
    sides = [[item.side for item in found] for _, found in check(records, index)]
    assert sides == [["query"], ["positive"], ["negative"], []]


def test_a_rejection_names_the_surest_match(index: EvalIndex) -> None:
    """Stage, reason, the evaluation text and its place."""
    item = record(f"Say: {QUESTION}", positive=PASSAGE)
    [(_, matches)] = check([item], index)
    drop = rejected(item, matches)
    assert (drop.stage, drop.reason) == ("contamination", "positive_exact_match")
    assert (drop.partner, drop.score) == ("en/p1", 1.0)
    assert PASSAGE in drop.detail
    assert drop.record == item


def test_a_line_of_matches_is_read_back(index: EvalIndex) -> None:
    """`from_line` is the inverse of `to_line`."""
    [(item, matches)] = check([record(JAPANESE)], index)
    line = Line(3, item.id, matches)
    assert from_line(to_line(line)) == line
    report = Report(index.sets)
    report.add(line)
    sets = report.to_dict()["sets"]
    assert sets["ja"]["records"] == 1
    assert sets["ja"]["checks"] == {"exact": 1}
    assert sets["en"]["records"] == 0


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """A BEIR folder with a query of another split."""
    folder = tmp_path / "bees"
    write(folder / "corpus.jsonl", [{"_id": "p1", "title": "Bees", "text": PASSAGE}])
    write(folder / "queries.jsonl", [{"_id": f"q{n}", "text": f"{QUESTION} {n}"} for n in (1, 2)])
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq2\tp1\t1\n")
    return folder


def test_a_beir_folder_has_its_test_queries_and_passages(beir: Path) -> None:
    """Queries of other splits are none of the evaluation set."""
    assert [(t.set, t.kind, t.id) for t in eval_texts([str(beir)])] == [
        ("bees", "query", "q2"), ("bees", "passage", "p1")
    ]  # fmt: skip
    assert [text.id for text in eval_texts([str(beir)], passages=False)] == ["q2"]


def test_any_file_is_an_evaluation_set(tmp_path: Path) -> None:
    """JSONL: every field of text, in lists too, but labels and the like; text: every line."""
    pair = {"sentence1": "one", "sentence2": "two", "score": 3, "part": "x", "label": "y"}
    write(tmp_path / "sts" / "test.jsonl", [pair])
    write(tmp_path / "rows.jsonl", [{"query": "three", "pos": ["four"], "neg": [{"text": "five"}]}])
    (tmp_path / "lines.txt").write_text("six\n\nseven\n")
    sets = [str(tmp_path / name) for name in ("sts", "rows.jsonl", "lines.txt")]
    found = list(eval_texts(sets))
    assert [text.text for text in found] == ["one", "two", "three", "four", "five", "six", "seven"]
    assert [text.kind for text in found][2:4] == ["query", "text"]
    assert found[0].id == "test.jsonl:1 sentence1"


@pytest.mark.parametrize("name", ["missing", "empty", "nothing.txt", "broken.jsonl"])
def test_what_is_no_evaluation_set_is_refused(tmp_path: Path, name: str) -> None:
    """With a hint at what is one."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.txt").touch()
    (tmp_path / "broken.jsonl").write_text("{")
    with pytest.raises(InputError) as caught:
        list(eval_texts([str(tmp_path / name)]))
    assert caught.value.hint


class Metadata:
    eval_splits = ("test",)


class Task:
    """What a loaded task of mteb looks like."""

    metadata = Metadata()

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset


def test_the_rows_of_an_mteb_task_are_those_that_it_is_evaluated_on() -> None:
    """Retrieval: queries and corpus of the split; others: the split's rows, in every subset."""
    retrieval = {
        "queries": [{"id": "q", "text": QUESTION}], "corpus": [{"id": "p", "text": PASSAGE}],
        "relevant_docs": {"q": {"p": 1}}, "top_ranked": None,
    }  # fmt: skip
    rows = task_rows(Task({"default": {"test": retrieval, "train": retrieval}}))
    assert [(kind, row["id"]) for kind, _, row in rows] == [("query", "q"), ("passage", "p")]
    pairs = {"test": [{"sentence1": "a", "sentence2": "b"}], "train": [{"sentence1": "c"}]}
    assert [kind for kind, _, _ in task_rows(Task(pairs))] == [None]
    rows = task_rows(Task({"de": pairs, "fr": pairs}))
    assert [place for _, place, _ in rows] == ["de/test/0", "fr/test/0"]


def contaminated(prompt: Prompt) -> str:
    """A plausible reply; every fifth question is one of the evaluation set."""
    reply = json.loads(plausible(prompt))
    if "question" in reply and int(prompt.draw.split("#")[1].lstrip("b")) % 5 == 4:
        reply["question"] = f"{QUESTION.upper()} {prompt.draw}"
    return json.dumps(reply)


def test_a_run_drops_what_stands_in_evaluation_sets(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """Every loss is a rejection; report, statistics and card agree; a longer run goes on."""
    sets = [str(write(tmp_path / "bees.jsonl", [{"text": QUESTION}]))]
    keys = {"contamination.sets": sets, "contamination.remove": True}
    summary, _ = start(config(count=30, **keys), ScriptedLLM(contaminated))
    assert summary.later["contamination"].rejected.total() > 0
    longer, _ = start(config(**keys), ScriptedLLM(contaminated))
    folder = longer.folder
    lost = [r for r in read_lines(Rejected, folder / "rejected.jsonl") if r.record]
    assert {r.reason for r in lost} == {"query_ngram_match"}
    kept = list(read_lines(Record, folder / "records.jsonl"))
    assert len(kept) + len(lost) == longer.drawn == 40
    assert not any(QUESTION.upper() in record.query for record in kept)
    stats = json.loads((folder / "stats.json").read_text())
    assert stats["contamination"]["matched"] == stats["contamination"]["dropped"] == len(lost)
    assert stats["contamination"]["sets"]["bees.jsonl"]["checks"] == {"ngram": len(lost)}
    assert (
        "examples" in json.loads((folder / "contamination.json").read_text())["sets"]["bees.jsonl"]
    )
    card = (folder / "dataset" / "README.md").read_text()
    assert "## Contamination" in card
    assert QUESTION.upper() not in card
    fresh, _ = start(config(output=tmp_path / "fresh", **keys), ScriptedLLM(contaminated))
    for name in ("records.jsonl", "rejected.jsonl", "stages/contamination.matches.jsonl"):
        assert (fresh.folder / name).read_bytes() == (folder / name).read_bytes()
    start(config(count=30, **keys), ScriptedLLM(contaminated))
    matches = (folder / "stages/contamination.matches.jsonl").read_text().splitlines()
    assert len(matches) == summary.later["contamination"].rejected.total()


def test_a_run_only_reports_unless_told_to_remove(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """The records stay, the report tells of them; without the section nothing is left of it."""
    sets = [str(write(tmp_path / "bees.jsonl", [{"text": QUESTION}]))]
    summary, _ = start(config(**{"contamination.sets": sets}), ScriptedLLM(contaminated))
    stats = json.loads((summary.folder / "stats.json").read_text())
    assert stats["contamination"]["dropped"] == 0
    assert 0 < stats["contamination"]["matched"] < summary.kept
    assert "still in the data set" in (summary.folder / "dataset" / "README.md").read_text()
    start(config(), ScriptedLLM(contaminated))
    assert "contamination" not in json.loads((summary.folder / "stats.json").read_text())


def test_keep_counts_what_is_left(config: Callable[..., RunConfig], tmp_path: Path) -> None:
    """`keep` means kept after this stage, too; the stages alone end where a run ends."""
    sets = [str(write(tmp_path / "bees.jsonl", [{"text": QUESTION}]))]
    keys = {"contamination.sets": sets, "contamination.remove": True}
    made = config(keep=20, count=200, **keys)
    summary, _ = start(made, ScriptedLLM(contaminated))
    assert summary.kept == 20
    before = (made.output / "records.jsonl").read_bytes()
    pipeline.dedupe_run(made)
    assert (made.output / "records.jsonl").read_bytes() == before
