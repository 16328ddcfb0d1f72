"""Two texts and a label of 0 or 1 (PAWS, QQP, MRPC, WikiQA): what is labelled 0 is no positive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generator.imports.convert import ImportOptions, import_records
from generator.imports.example import Columns
from generator.records import Record, Rejected

BEES, HIVES, WASPS = "Bees store honey.", "Honey is stored by bees.", "Honey stores bees."


def imported(source: Path, **options: Any) -> tuple[list[Record], list[tuple[str, str]]]:
    """Records, and reason and place of what is rejected."""
    found = list(import_records(str(source), ImportOptions(**options)))
    return [item for item in found if isinstance(item, Record)], [
        (item.reason, item.detail.split(" ")[0].rstrip(":"))
        for item in found if isinstance(item, Rejected)
    ]  # fmt: skip


def texts(records: list[Record]) -> list[tuple[str, list[str], list[str]]]:
    """Query, positives and negatives of each."""
    return [
        (r.query, [t.text for t in r.positives], [t.text for t in r.negatives]) for r in records
    ]


def jsonl(path: Path, names: str, *rows: tuple[Any, ...]) -> Path:
    """A file of rows with the named columns."""
    lines = [json.dumps(dict(zip(names.split(), row, strict=True))) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "names",
    ["sentence1 sentence2 label", "question1 question2 is_duplicate", "text1 text2 label",
     "Sentence1 Sentence2 Label", "文1 文2 ラベル", "query passage label", "question answer label"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("no", "yes"), [(0, 1), ("0", "1"), (False, True), ("false", "True"), (0.0, "1.0")]
)
def test_what_is_labelled_0_is_a_negative_or_rejected(
    tmp_path: Path, names: str, no: Any, yes: Any
) -> None:
    """A hard negative where the first text has a positive, in any order of the rows."""
    rows = [(BEES, WASPS, no), (BEES, HIVES, yes), ("Only unlike.", WASPS, no)]
    records, rejected = imported(jsonl(tmp_path / "a.jsonl", names, *rows))
    assert texts(records) == [(BEES, [HIVES], [WASPS])]
    assert rejected == [("lone_negative", "a.jsonl:3")]
    assert {negative.source for record in records for negative in record.negatives} == {"human"}


@pytest.mark.parametrize("label", [2, "maybe", -1, None, "", 0.5, float("nan"), [1]])
@pytest.mark.parametrize("at", [0, 2])
def test_a_label_that_nobody_knows_is_rejected(tmp_path: Path, label: Any, at: int) -> None:
    """In the first row, too, by which other formats are told."""
    rows: list[tuple[Any, ...]] = [(BEES, HIVES, 1), (BEES, WASPS, 0), ("Other.", HIVES, 1)]
    rows.insert(at, ("Unlabelled.", WASPS, label))
    path = jsonl(tmp_path / "a.jsonl", "sentence1 sentence2 label", *rows)
    records, rejected = imported(path)
    assert texts(records) == [(BEES, [HIVES], [WASPS]), ("Other.", [HIVES], [])]
    assert rejected == [("unknown_label", f"a.jsonl:{at + 1}")]


def test_tables_as_they_are_given_out(tmp_path: Path) -> None:
    """QQP's and MRPC's own TSV, Parquet as on the Hub, a Japanese CSV of a spreadsheet."""
    qqp, mrpc = tmp_path / "qqp.tsv", tmp_path / "mrpc.txt.tsv"
    qqp.write_text(
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        f"0\t1\t2\t{BEES}\t{WASPS}\t0\n1\t1\t3\t{BEES}\t{HIVES}\t1\n"
    )
    mrpc.write_text(
        "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
        f"1\t1\t3\t{BEES}\t{HIVES}\n0\t1\t2\t{BEES}\t{WASPS}\n"
    )
    paws, ja = tmp_path / "paws.parquet", tmp_path / "ja.csv"
    columns = {"id": [1, 2], "sentence1": [BEES] * 2, "sentence2": [WASPS, HIVES], "label": [0, 1]}
    pq.write_table(pa.table(columns), paws)
    for path in (qqp, mrpc, paws):
        records, rejected = imported(path)
        assert (texts(records), rejected) == ([(BEES, [HIVES], [WASPS])], []), path
        assert records[0].symmetric
    ja.write_bytes("文1,文2,ラベル\n蜂は蜜を集める,蜜は蜂が集める,1\n".encode("cp932"))
    assert texts(imported(ja)[0]) == [("蜂は蜜を集める", ["蜜は蜂が集める"], [])]


def test_questions_and_answers_are_no_paraphrases(tmp_path: Path) -> None:
    """The instruction is for the questions alone."""
    rows = [("Who stores honey?", BEES, 1), ("Who stores honey?", WASPS, 0)]
    path = jsonl(tmp_path / "a.jsonl", "question answer label", *rows)
    ((record,), _) = imported(path)
    assert not record.symmetric
    ((record,), _) = imported(path, symmetric=True)
    assert record.symmetric


def test_pairs_that_contradict_each_other_or_themselves(tmp_path: Path) -> None:
    """Every row that gives nothing is told; one of them costs no other row of its text."""
    rows = [(BEES, HIVES, 1), (BEES, HIVES, 0), (BEES, BEES, 1), (BEES, BEES, 0), (BEES, "", 1)]
    records, rejected = imported(jsonl(tmp_path / "a.jsonl", "sentence1 sentence2 label", *rows))
    assert texts(records) == [(BEES, [HIVES], [])]
    assert sorted(rejected) == [
        ("both_labels", "a.jsonl:2"), ("empty_text", "a.jsonl:5"),
        ("negative_equals_query", "a.jsonl:4"), ("positive_equals_query", "a.jsonl:3"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "labels", [(0.0, 1.0, 3.8, 4.2), (0.0, 1.0, 0.25, 0.8), (0, 1, 2) * 12, (0, 1, 2, 3)]
)
def test_scores_in_the_column_of_labels_are_no_labels(
    tmp_path: Path, labels: tuple[float, ...]
) -> None:
    """Of STS-B's 0 to 5 a 1 is unlike; of NLI's numbers 0 is entailed: nothing is taken."""
    rows = [(f"{BEES} {n}", HIVES, label) for n, label in enumerate(labels)]
    path = jsonl(tmp_path / "a.jsonl", "sentence1 sentence2 label", *rows)
    records, rejected = imported(path)
    assert records == []
    assert len(rejected) == len(rows)
    assert {reason for reason, _ in rejected} == {"unknown_label", "graded"}


@pytest.mark.parametrize("name", ["score", "similarity_score"])
def test_scores_of_two_texts_of_one_kind(tmp_path: Path, name: str) -> None:
    """By the name of the column one number between is enough; 0 and 1 alone are labels."""
    names = f"sentence1 sentence2 {name}"
    rows = [(BEES, HIVES, 1.0), (BEES, WASPS, 0.0), ("Other.", WASPS, 0.0)]
    path = jsonl(tmp_path / "a.jsonl", names, *rows)
    assert texts(imported(path)[0]) == [(BEES, [HIVES], [WASPS])]
    path = jsonl(tmp_path / "b.jsonl", names, *rows, ("Others.", WASPS, 4.75))
    records, rejected = imported(path)
    assert records == []
    assert sorted(rejected) == [
        *(("graded", f"b.jsonl:{n}") for n in (1, 2, 3)), ("unknown_label", "b.jsonl:4")
    ]  # fmt: skip
    records, _ = imported(path, format="pairs")
    assert len(records) == 4


@pytest.mark.parametrize(
    ("row", "positives"),
    [
        ({"query": BEES, "passage": HIVES, "score": 0.0}, [HIVES]),
        ({"sentence1": BEES, "sentence2": HIVES, "genre": "insects"}, [HIVES]),
        ({"query": BEES, "positive": HIVES, "negative": WASPS, "label": 0}, [HIVES]),
        ({"query": BEES, "positive": HIVES, "label": "insects"}, [HIVES]),
        ({"query": BEES, "positive": HIVES, "label": 7}, [HIVES]),
        ({"query": BEES, "text": HIVES, "clicks": 1, "label": 0}, [HIVES]),
    ],
)
def test_other_tables_are_read_as_before(
    tmp_path: Path, row: Mapping[str, Any], positives: list[str]
) -> None:
    """Scores, negatives of their own, names of topics, clicks."""
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    records, _ = imported(tmp_path / "a.jsonl")
    assert [own for _, own, _ in texts(records)] == [positives]


def test_a_named_column_of_labels(tmp_path: Path) -> None:
    """Its values tell whether they are NLI's; entailment that is a number is so with a premise."""
    own = Columns(query="a", positive="b", label="same")
    path = jsonl(tmp_path / "a.jsonl", "a b same", (BEES, HIVES, 1), (BEES, WASPS, 0))
    said: list[str] = []
    (record,) = import_records(str(path), ImportOptions(columns=own), said.append)
    assert isinstance(record, Record)
    assert texts([record]) == [(BEES, [HIVES], [WASPS])]
    assert said == ["query: a; positives: b; label: same"]
    path = jsonl(tmp_path / "b.jsonl", "premise hypothesis label", (BEES, HIVES, 0), (BEES, "x", 1))
    assert texts(imported(path)[0]) == [(BEES, [HIVES], [])]
    path = jsonl(tmp_path / "c.jsonl", "sentence1 sentence2 label", (BEES, HIVES, 0))
    assert texts(imported(path, format="nli")[0]) == [(BEES, [HIVES], [])]


def test_a_number_between_two_labels_of_nli_is_none(tmp_path: Path) -> None:
    """0.7 was taken for 0, which is entailment."""
    rows = [(BEES, HIVES, 0), (BEES, WASPS, 0.7)]
    records, rejected = imported(jsonl(tmp_path / "a.jsonl", "premise hypothesis label", *rows))
    assert texts(records) == [(BEES, [HIVES], [])]
    assert rejected == [("no_label", "a.jsonl:2")]
