"""Tasks, a model's scores on them, and `trine eval`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, nDCG

from generator.cli import main
from generator.encoders import Kind, Vectors, normalised
from generator.errors import InputError
from generator.evaluation.evaluate import Ranking, bitext_f1, evaluate, retrieval_measures
from generator.evaluation.runfile import write_run
from generator.evaluation.tasks import (
    BitextTask,
    RetrievalTask,
    StsTask,
    limited,
    load_task,
)

CORPUS = [
    {"_id": "d1", "title": "Rivers", "text": "The river floods in spring."},
    {"_id": "d2", "title": "Bread", "text": "Bread needs flour, water and salt."},
    {"_id": "d3", "title": "", "text": "A bishop moves along diagonals in chess."},
    {"_id": "q3", "title": "", "text": "chess diagonals"},
]
QUERIES = [
    {"_id": "q1", "text": "when does the river flood"},
    {"_id": "q2", "text": "what needs flour"},
    {"_id": "q3", "text": "chess diagonals"},
    {"_id": "q4", "text": "judged, but nothing is relevant"},
    {"_id": "q5", "text": "of another split"},
]
QRELS = ["query-id\tcorpus-id\tscore", "q1\td1\t2", "q1\td2\t1", "q2\td2\t1", "q3\td3\t1",
         "q4\td1\t0"]  # fmt: skip


class TableEncoder:
    """Vectors from a table, and a note of what was asked."""

    name = "table"

    def __init__(self, table: Mapping[str, Sequence[float]]) -> None:
        self._table = table
        self.asked: list[tuple[str, str | None]] = []

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
        """See `Encoder.encode`."""
        self.asked.append((kind, task))
        return normalised(np.array([self._table[text] for text in texts]))


def beir(folder: Path, *, corpus: list[dict[str, str]] = CORPUS, qrels: list[str] = QRELS) -> Path:
    """A retrieval task on disk."""
    (folder / "qrels").mkdir(parents=True)
    _jsonl(folder / "corpus.jsonl", corpus)
    _jsonl(folder / "queries.jsonl", QUERIES)
    (folder / "qrels" / "test.tsv").write_text("\n".join(qrels) + "\n")
    return folder


def pairs(folder: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """A task of pairs on disk."""
    folder.mkdir()
    _jsonl(folder / "test.jsonl", rows)
    return folder


def test_a_retrieval_folder(tmp_path: Path) -> None:
    """Only the queries with something relevant are asked; grades are kept."""
    task = load_task(beir(tmp_path / "small"))
    assert isinstance(task, RetrievalTask)
    assert task.name == "small"
    assert [query.id for query in task.queries] == ["q1", "q2", "q3"]
    assert task.qrels["q1"] == {"d1": 2, "d2": 1}
    assert task.passages[0].full == "Rivers The river floods in spring."


def test_pairs_with_and_without_scores(tmp_path: Path) -> None:
    """A score makes STS, none makes bitext."""
    rows = [{"sentence1": "a", "sentence2": "b", "score": 2}, {"sentence1": "c", "sentence2": "d",
                                                               "score": 0.5}]  # fmt: skip
    assert load_task(pairs(tmp_path / "sts", rows)) == StsTask(
        "sts", ("a", "c"), ("b", "d"), (2.0, 0.5), 2
    )
    bare = [{"sentence1": "a", "sentence2": "b"}]
    assert load_task(pairs(tmp_path / "bi", bare)) == BitextTask("bi", ("a",), ("b",), 1, 1)


def test_limits(tmp_path: Path) -> None:
    """Fewer queries, the same corpus; `total` remembers how many there were."""
    task = load_task(beir(tmp_path / "small"))
    few = limited(task, first=1, only=["q2", "q3", "zz"])
    assert isinstance(few, RetrievalTask)
    assert [query.id for query in few.queries] == ["q2"]
    assert (len(few.passages), few.total) == (4, 3)
    with pytest.raises(InputError, match="none of these queries"):
        limited(task, only=["zz"])
    sts = StsTask("s", ("a", "b"), ("c", "d"), (1.0, 2.0), 2)
    assert limited(sts, first=1) == StsTask("s", ("a",), ("c",), (1.0,), 2)
    bitext = BitextTask("b", ("a", "b"), ("c", "d"), 2, 2)
    assert limited(bitext, first=1) == BitextTask("b", ("a", "b"), ("c", "d"), 1, 2)
    with pytest.raises(InputError, match="no ids"):
        limited(sts, only=["q1"])


def test_bad_judgements_are_told_with_their_lines(tmp_path: Path) -> None:
    """Unknown ids, a fraction, a missing field and a contradiction, all at once."""
    bad = [*QRELS, "zz\td1\t1", "q1\tzz\t1", "q1\td3\t0.5", "q1 d1 1", "q1\td1\t0", "q1\td1\t2"]
    with pytest.raises(InputError, match=r"test\.tsv: 5 bad lines") as caught:
        load_task(beir(tmp_path / "small", qrels=bad))
    assert [problem.split(" ", 2)[:2] for problem in caught.value.problems] == [
        ["test.tsv:7:", "no"],
        ["test.tsv:8:", "no"],
        ["test.tsv:9:", "not"],
        ["test.tsv:10:", "not"],
        ["test.tsv:11:", "q1"],
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a", "label": "b"}], "classification and clustering"),
        ([], "empty"),
        ([{"sentence1": "a"}], "1 bad lines"),
        ([{"sentence1": "a", "sentence2": "b", "score": 1}, {"sentence1": "a", "sentence2": "b"}],
         "1 bad lines"),
        ([{"sentence1": "a", "sentence2": "b", "score": "4"}], "1 bad lines"),
    ],
)  # fmt: skip
def test_pairs_that_are_none(tmp_path: Path, rows: list[dict[str, object]], message: str) -> None:
    """What is wrong, and which layouts there are."""
    with pytest.raises(InputError, match=message) as caught:
        load_task(pairs(tmp_path / "task", rows))
    assert "qrels/test.tsv" in caught.value.hint


def test_folders_that_are_no_task(tmp_path: Path) -> None:
    """Missing parts are named."""
    with pytest.raises(InputError, match="is no folder"):
        load_task(tmp_path / "missing")
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(InputError, match=r"holds README\.md"):
        load_task(tmp_path)
    (tmp_path / "corpus.jsonl").write_text("")
    with pytest.raises(InputError, match=r"no queries\.jsonl"):
        load_task(tmp_path)
    with pytest.raises(InputError, match="no query has a relevant passage"):
        load_task(beir(tmp_path / "none", qrels=QRELS[:1]))


def test_retrieval_with_vectors(tmp_path: Path) -> None:
    """Ranks follow the cosines, the instruction goes on queries alone, a query is no answer."""
    task = load_task(beir(tmp_path / "small"))
    assert isinstance(task, RetrievalTask)
    angles = {"d1": 0.0, "d2": 0.5, "d3": 1.0, "q3": 1.5}
    table = {p.full: (np.cos(angles[p.id]), np.sin(angles[p.id])) for p in task.passages}
    table |= {QUERIES[0]["text"]: (1.0, 0.3), QUERIES[1]["text"]: (0.0, 1.0)}
    encoder = TableEncoder(table)
    result = evaluate(task, encoder, k=2, instruction="Find it")
    assert encoder.asked == [("document", None), ("query", "Find it")]
    assert [ranking.ids for ranking in result.rankings] == [
        ("d2", "d1", "d3", "q3"),  # 0.29 radians: 0.21 from d2, 0.29 from d1
        ("q3", "d3", "d2", "d1"),
        ("d3", "d2", "d1"),
    ]
    assert result.measures["hit@1"] == pytest.approx(2 / 3)
    assert result.measures["mrr@2"] == pytest.approx((1 + 0 + 1) / 3)
    assert (result.kind, result.n, result.total, result.model) == ("retrieval", 3, 3, "table")
    assert result.main == result.measures["ndcg@2"]


def test_retrieval_with_bm25(tmp_path: Path) -> None:
    """Each question shares words with its passage alone."""
    result = evaluate(load_task(beir(tmp_path / "small")), "bm25", language="en")
    assert [ranking.ids[0] for ranking in result.rankings] == ["d1", "d2", "d3"]
    assert result.measures["hit@1"] == 1
    assert result.measures["recall@10"] == pytest.approx((0.5 + 1 + 1) / 3)


def test_sts_encodes_both_sides_as_queries() -> None:
    """Symmetric: the instruction stands on both; Spearman is of cosines and scores."""
    table = {"a": (1, 0), "b": (1, 0.1), "c": (1, 1), "d": (0, 1)}
    encoder = TableEncoder(table)
    task = StsTask("s", ("a", "a", "a"), ("b", "c", "d"), (5.0, 3.0, 4.0), 3)
    result = evaluate(task, encoder, instruction="Alike?")
    assert encoder.asked == [("query", "Alike?")] * 2
    assert result.main == pytest.approx(0.5)
    with pytest.raises(InputError, match="bm25 ranks passages"):
        evaluate(task, "bm25")


def test_bitext_counts_nearest_translations() -> None:
    """Two of three sentences find theirs; the one that two sentences name counts less for F1."""
    table = {"a": (1, 0), "b": (1, 0.2), "c": (0, 1), "A": (1, 0.1), "B": (1, 2), "C": (0.1, 1)}
    task = BitextTask("b", ("a", "b", "c"), ("A", "B", "C"), 3, 3)
    result = evaluate(task, TableEncoder(table))
    assert result.measures["accuracy"] == pytest.approx(2 / 3)
    assert result.measures["f1"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert result.measures["accuracy_back"] == pytest.approx(1 / 3)
    part = evaluate(limited(task, first=1), TableEncoder(table))
    assert (part.main, part.n, part.total) == (1, 1, 3)


def test_bitext_f1_equals_scikit_learns_weighted_f1() -> None:
    """On random guesses with many repeats."""
    from sklearn.metrics import f1_score  # noqa: PLC0415

    nearest = np.random.default_rng(3).integers(0, 20, size=50)
    expected = f1_score(np.arange(50), nearest, average="weighted", zero_division=0)
    assert bitext_f1(nearest) == pytest.approx(expected, abs=1e-12)


def test_a_run_file_scores_the_same_in_ir_measures(tmp_path: Path) -> None:
    """What `--run` writes and `trine eval` prints agree, ties and all."""
    draw = np.random.default_rng(2)
    names = [f"p{number}" for number in range(40)]
    table = {name: draw.integers(-2, 3, 3).tolist() for name in names}
    table |= {f"query {number}": draw.integers(-2, 3, 3).tolist() for number in range(30)}
    folder = tmp_path / "task"
    (folder / "qrels").mkdir(parents=True)
    _jsonl(folder / "corpus.jsonl", [{"_id": name, "text": name} for name in names])
    queries = [{"_id": f"q{number}", "text": f"query {number}"} for number in range(30)]
    _jsonl(folder / "queries.jsonl", queries)
    lines = [f"q{q}\tp{p}\t{draw.integers(0, 3)}" for q in range(30) for p in range(q, q + 9)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n")
    result = evaluate(load_task(folder), TableEncoder(table))
    write_run(result.rankings, tmp_path / "run.txt", "my model")
    qrels = [ir_measures.Qrel(*_judgement(line)) for line in lines]
    found = ir_measures.read_trec_run(str(tmp_path / "run.txt"))
    expected = ir_measures.pytrec_eval.calc_aggregate([nDCG @ 10, R @ 10, RR], qrels, found)
    assert result.measures["ndcg@10"] == pytest.approx(expected[nDCG @ 10], abs=1e-9)
    assert result.measures["recall@10"] == pytest.approx(expected[R @ 10], abs=1e-9)
    task = load_task(folder)
    assert isinstance(task, RetrievalTask)
    deep = retrieval_measures(task, result.rankings, 40)
    assert deep["mrr@40"] == pytest.approx(expected[RR], abs=1e-9)
    first = (tmp_path / "run.txt").read_text().split("\n")[0].split(" ")
    assert (first[0], first[1], first[3], first[5]) == ("q0", "Q0", "1", "my-model")


def test_ids_with_spaces_fit_no_run_file(tmp_path: Path) -> None:
    """Nothing is written rather than a file that reads back wrongly."""
    with pytest.raises(InputError, match="holds a space"):
        write_run([Ranking("q 1", ("d",), (1.0,))], tmp_path / "run.txt", "m")
    assert not (tmp_path / "run.txt").exists()


def test_trine_eval_prints_json_and_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON on stdout with what was measured; the table says how many of how many."""
    task, run = str(beir(tmp_path / "small")), tmp_path / "bm25.run"
    assert _eval("bm25", task, "--json", "--k", "5", "--run", str(run)) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["task"], row["kind"], row["model"]) == ("small", "retrieval", "bm25")
    assert (row["n"], row["total"], row["measures"]["hit@1"]) == (3, 3, 1.0)
    assert next(iter(row["measures"])) == "ndcg@5"
    assert run.read_text().startswith("q1 Q0 d1 1 ")
    assert _eval("bm25", task, "--limit-queries", "2", "--fail-under", "0.99") == 1
    out = capsys.readouterr().out
    assert "2 of 3" in out
    assert "ndcg@10" in out


def test_trine_eval_takes_a_list_of_queries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--queries` names the ids to ask, one a line."""
    (tmp_path / "ids.txt").write_text("q2\n\n")
    task = str(beir(tmp_path / "small"))
    assert _eval("bm25", task, "--queries", str(tmp_path / "ids.txt"), "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["n"], row["total"]) == (1, 3)


def test_trine_eval_refuses_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 with a hint: a run of two tasks, and BM25 on pairs."""
    task = str(beir(tmp_path / "small"))
    assert _eval("bm25", task, task, "--run", str(tmp_path / "x")) == 2
    assert "--run takes one retrieval task" in capsys.readouterr().err
    bare = pairs(tmp_path / "bi", [{"sentence1": "a", "sentence2": "b"}])
    assert _eval("bm25", str(bare)) == 2
    assert "hint: " in capsys.readouterr().err


def test_trine_search_prints_a_safe_snippet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rank, score, id and text; no control character reaches the terminal."""
    path = tmp_path / "corpus.jsonl"
    _jsonl(path, [{"_id": "d1", "text": "red \x1b[31m bird"}, {"_id": "d2", "text": "stone"}])
    assert _run("search", "bm25", str(path), "bird") == 0
    out = capsys.readouterr().out
    assert "d1" in out
    assert "d2" not in out
    assert "\x1b" not in out
    assert _run("search", "bm25", str(path), "zebra") == 0
    assert "nothing found" in capsys.readouterr().err


def _eval(*arguments: str) -> int:
    return _run("eval", *arguments)


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(str(caught.value.code))


def _judgement(line: str) -> tuple[str, str, int]:
    query, passage, grade = line.split("\t")
    return query, passage, int(grade)


def _jsonl(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
