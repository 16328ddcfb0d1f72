"""Pairs of one's own → records: every format, and rows that are none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generator.errors import InputError
from generator.imports.convert import ImportOptions, import_records
from generator.imports.example import Columns
from generator.records import Record, Rejected, to_json

HONEY = "Bees store honey in combs of wax, and a keeper takes some of it out in summer."
NESTS = "Wasps build their nests of paper that they chew from wood, and store no honey."


def imported(source: Path, **options: Any) -> tuple[list[Record], list[Rejected]]:
    """Records and rejections of a source."""
    found = list(import_records(str(source), ImportOptions(**options)))
    records = [item for item in found if isinstance(item, Record)]
    return records, [item for item in found if isinstance(item, Rejected)]


def texts(items: Sequence[Any]) -> list[str]:
    """The texts of positives or negatives."""
    return [item.text for item in items]


def jsonl(path: Path, *rows: Mapping[str, Any] | str) -> Path:
    """A file of these rows; a text stands as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "positives", "negatives"),
    [
        ({"query": "q?", "positive": HONEY, "negative": NESTS}, [HONEY], [NESTS]),
        ({"anchor": "q?", "positive": HONEY, "negative_2": "b", "negative_1": "a"},
         [HONEY], ["a", "b"]),
        ({"query": "q?", "pos": [HONEY, NESTS], "neg": ["a"]}, [HONEY, NESTS], ["a"]),
        ({"question": "q?", "positive_ctxs": [{"title": "Bees", "text": "a"}]}, ["Bees a"], []),
        ({"question": "q?", "context": HONEY, "answers": {"text": ["a"], "answer_start": [0]}},
         [HONEY], []),
        ({"query": "q?", "positive_passages": [{"docid": "1", "title": "", "text": "a"}],
          "negative_passages": [{"docid": "2", "title": "T", "text": "b"}]}, ["a"], ["T b"]),
    ],
)  # fmt: skip
def test_pairs_in_the_columns_of_other_tools(
    tmp_path: Path, row: dict[str, Any], positives: list[str], negatives: list[str]
) -> None:
    """sentence-transformers, FlagEmbedding, DPR, the Hub's SQuAD, tevatron."""
    (record,), rejected = imported(jsonl(tmp_path / "a.jsonl", row))
    assert (record.query, texts(record.positives)) == ("q?", positives)
    assert texts(record.negatives) == negatives
    assert {negative.source for negative in record.negatives} <= {"human"}
    assert record.provenance.source == "a.jsonl a.jsonl:1"
    assert rejected == []


def test_rows_that_are_none_are_told_with_their_places(tmp_path: Path) -> None:
    """Rubbish in a file loses nothing of what stands around it."""
    rows = (
        {"query": "who?", "positive": HONEY}, "{broken", '"text"', {"other": 1},
        {"query": " ", "positive": HONEY}, {"query": "q", "positive": ""},
        {"query": HONEY, "positive": HONEY}, {"query": "last?", "positive": NESTS},
    )  # fmt: skip
    records, rejected = imported(jsonl(tmp_path / "a.jsonl", *rows))
    assert [record.query for record in records] == ["who?", "last?"]
    told = [(item.reason, item.detail.split(" ")[0].rstrip(":")) for item in rejected]
    assert told == [
        ("not_json", "a.jsonl:2"), ("not_a_row", "a.jsonl:3"), ("no_query", "a.jsonl:4"),
        ("empty_query", "a.jsonl:5"), ("empty_positive", "a.jsonl:6"),
        ("positive_equals_query", "a.jsonl:7"),
    ]  # fmt: skip


def test_tables_with_and_without_a_header(tmp_path: Path) -> None:
    """Quotation marks in tab-separated texts are letters; a row of another width is told."""
    path = tmp_path / "a.tsv"
    path.write_text(f'where is "it\t{HONEY}\t{NESTS}\nshort\nhow?\t{NESTS}\t{HONEY}\n')
    records, rejected = imported(path)
    assert [record.query for record in records] == ['where is "it', "how?"]
    assert texts(records[0].negatives) == [NESTS]
    assert [item.reason for item in rejected] == ["wrong_fields"]
    path = tmp_path / "b.csv"
    path.write_text(f'question,passage\n"one, two",{json.dumps(HONEY)}\n')
    ((record,), _) = imported(path)
    assert (record.query, texts(record.positives)) == ("one, two", [HONEY])
    ((record,), _) = imported(path, columns=Columns(query="passage", positive="question"))
    assert record.query == HONEY


def test_nli_gathers_the_hypotheses_of_a_premise(tmp_path: Path) -> None:
    """Entailments are positives, contradictions negatives; labels by name or number."""
    rows: list[dict[str, Any]] = [
        {"premise": HONEY, "hypothesis": "Bees have honey.", "label": 0},
        {"premise": HONEY, "hypothesis": "Bees might sing.", "label": "neutral"},
        {"premise": HONEY, "hypothesis": "Bees have no honey.", "label": "contradiction"},
        {"premise": NESTS, "hypothesis": "Wasps store honey.", "label": 2},
        {"premise": NESTS, "hypothesis": "Unlabelled.", "label": -1},
    ]
    (record,), rejected = imported(jsonl(tmp_path / "a.jsonl", *rows))
    assert texts(record.positives) == ["Bees have honey."]
    assert texts(record.negatives) == ["Bees have no honey."]
    assert record.symmetric
    assert [item.reason for item in rejected] == ["neutral", "no_label", "no_entailment"]


def test_clicks_are_summed(tmp_path: Path) -> None:
    """Texts that were clicked often enough, the most first."""
    rows: list[dict[str, Any]] = [
        {"query": "honey", "text": HONEY, "clicks": 2},
        {"query": "honey", "text": NESTS, "clicks": 4},
        {"query": "honey", "text": HONEY, "clicks": "3"},
        {"query": "rare", "text": NESTS, "clicks": 1},
        {"query": "odd", "text": NESTS, "clicks": "many"},
    ]  # fmt: skip
    (record,), rejected = imported(jsonl(tmp_path / "a.jsonl", *rows), min_clicks=3)
    assert texts(record.positives) == [HONEY, NESTS]
    assert [item.reason for item in rejected] == ["no_clicks", "few_clicks"]


def test_a_beir_folder(tmp_path: Path) -> None:
    """Title and text; grade 0 is a human negative; Japanese is told by its script."""
    first = {"_id": "1", "title": "養蜂", "text": "蜂は巣箱に蜜を集める。"}
    jsonl(tmp_path / "corpus.jsonl", first, {"_id": "2", "text": NESTS})
    jsonl(tmp_path / "queries.jsonl", {"_id": "a", "text": "蜂は蜜をどこに集めますか。"})
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "train.tsv").write_text(
        "query-id\tcorpus-id\tscore\na\t1\t1\na\t2\t0\na\t9\t1\nb\t1\t1\n"
    )
    (record,), rejected = imported(tmp_path)
    assert (record.language, texts(record.positives)) == ("ja", ["養蜂 蜂は巣箱に蜜を集める。"])
    assert texts(record.negatives) == [NESTS]
    assert record.provenance.passage == "1"
    assert sorted(item.reason for item in rejected) == ["no_passage", "no_query"]
    with pytest.raises(InputError, match="no such split") as told:
        imported(tmp_path, split="dev")
    assert told.value.hint


def test_triples_and_a_limit(tmp_path: Path) -> None:
    """MS MARCO's triples: the negatives of one query and positive stand in rows of their own."""
    path = tmp_path / "triples.tsv"
    path.write_text(f"q1\t{HONEY}\t{NESTS}\nq1\t{HONEY}\tother\nq2\t{NESTS}\t{HONEY}\n")
    records, rejected = imported(path, format="triples", limit=2)
    assert [texts(record.negatives) for record in records] == [[NESTS, "other"], [HONEY]]
    assert rejected == []


def test_what_is_no_source(tmp_path: Path) -> None:
    """A missing file, an unknown kind, a folder of a file's format: each with a hint."""
    (tmp_path / "a.docx").write_text("x")
    for source, options, message in (
        ("./none.jsonl", {}, "no file of rows"),
        (str(tmp_path / "a.docx"), {}, "not a file of rows"),
        (str(tmp_path), {"format": "squad"}, "a folder"),
    ):
        with pytest.raises(InputError, match=message) as told:
            list(import_records(source, ImportOptions(**options)))
        assert told.value.hint


ASKED, ANSWERED = "橋とは何ですか", "橋は川を渡るための建物です。"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932", "euc_jp"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json"])
def test_texts_in_the_encodings_that_spreadsheets_write(
    tmp_path: Path, name: str, encoding: str
) -> None:
    """Japanese names of columns are known, and no letter is replaced by another."""
    row = json.dumps({"質問": ASKED, "回答": ANSWERED}, ensure_ascii=False)
    table = f"質問,回答\n{ASKED},{ANSWERED}\n"
    content = {".csv": table, ".tsv": table.replace(",", "\t"), ".jsonl": row, ".json": f"[{row}]"}
    path = tmp_path / name
    path.write_bytes(content[path.suffix].encode(encoding))
    (record,), rejected = imported(path)
    assert (record.query, texts(record.positives)) == (ASKED, [ANSWERED])
    assert (record.language, rejected) == ("ja", [])


@pytest.mark.parametrize("name", ["負例", "不正解"])
def test_negatives_under_their_japanese_names(tmp_path: Path, name: str) -> None:
    """A column that is not known is left out without a word, and with it the negatives."""
    path = tmp_path / "a.csv"
    path.write_text(f"質問,正解,{name}\n{ASKED},{ANSWERED},駅は町の中にあります。\n")
    (record,), _ = imported(path)
    assert texts(record.negatives) == ["駅は町の中にあります。"]


def test_a_short_table_in_latin_letters(tmp_path: Path) -> None:
    """Two letters beyond ASCII are no Chinese."""
    path = tmp_path / "a.csv"
    rows = "query,positive\nwas ist Käse?,Käse ist ein Milchprodukt aus Milch.\n"
    path.write_bytes(rows.encode("latin-1"))
    ((record,), _) = imported(path)
    assert record.query == "was ist Käse?"


def test_a_broken_byte_is_told_and_never_replaced(tmp_path: Path) -> None:
    """The row is rejected with its place; those around it are kept."""
    path = tmp_path / "a.csv"
    path.write_bytes(
        "query,positive\n橋とは,a bridge\n".encode() + b"bro\xffken,x\n" + b"what,a bee\n"
    )
    records, (rejected,) = imported(path)
    assert [record.query for record in records] == ["橋とは", "what"]
    assert (rejected.reason, rejected.detail) == ("bad_encoding", "a.csv:3")


def test_headers_as_spreadsheets_have_them(tmp_path: Path) -> None:
    """Semicolons, capitals, names that only the user knows; a Japanese first pair is none."""
    path = tmp_path / "a.csv"
    path.write_text(f"Question;Answer\nwho?;{HONEY}\n")
    ((record,), _) = imported(path)
    assert (record.query, texts(record.positives)) == ("who?", [HONEY])
    path.write_text(f"設問,解説\n{ASKED},{ANSWERED}\n")
    ((record,), _) = imported(path, columns=Columns(query="設問", positive="解説"))
    assert record.query == ASKED
    path.write_text("橋とは何,川を渡る建物\n駅とは何,電車の止まる所\n")
    records, _ = imported(path)
    assert [record.query for record in records] == ["橋とは何", "駅とは何"]


def test_a_passage_that_several_questions_ask_for(tmp_path: Path) -> None:
    """It is known as one that was there before them, so its records are no duplicates."""
    rows: list[dict[str, Any]] = [{"question": f"q{n}?", "context": HONEY} for n in range(2)]
    records, _ = imported(jsonl(tmp_path / "a.jsonl", *rows))
    paragraph = {"context": HONEY, "qas": [{"question": "q2?"}]}
    squad = tmp_path / "s.json"
    squad.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    records += imported(squad)[0]
    assert len({record.provenance.passage for record in records}) == 1
    assert records[0].provenance.passage is not None
    (answer,), _ = imported(jsonl(tmp_path / "b.jsonl", {"question": "q?", "answer": HONEY}))
    assert answer.provenance.passage is None


def test_a_misspelt_file_is_not_looked_for_on_the_hub() -> None:
    """Its suffix tells that a file was meant."""
    with pytest.raises(InputError, match="no file of rows"):
        imported(Path("nowhere.jsonl"))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            {"id": "7", "question": "q", "answer": "a", "answer_2": "b", "hard": "n"},
            ["query: question; positives: answer, answer_2; not used: id, hard"],
        ),
        (
            {"クエリ": "蜂蜜", "正解": "巣", "誤答": "紙"},
            ["query: クエリ; positives: 正解; negatives: 誤答"],
        ),
        ({"title": "t"}, []),
    ],
)
def test_it_is_told_which_columns_are_read(
    tmp_path: Path, row: dict[str, str], told: list[str]
) -> None:
    """Negatives under a name that is not known would be lost without a word."""
    said: list[str] = []
    source = jsonl(tmp_path / "pairs.jsonl", row, row)
    list(import_records(str(source), ImportOptions(), said.append))
    assert said == told


# -- what data sets really hold


def test_half_a_character_and_deep_nesting_cost_no_other_row(tmp_path: Path) -> None:
    r"""A lone surrogate (`\ud83d`) has no UTF-8 form; a line of brackets alone is no row."""
    good = '{"query": "Where is honey \\ud83d kept?", "positive": "' + HONEY + '"}'
    records, rejected = imported(jsonl(tmp_path / "a.jsonl", good, "[" * 100_000))
    assert [record.query for record in records] == ["Where is honey \ufffd kept?"]
    assert to_json(records[0])
    assert [(item.reason, item.detail) for item in rejected] == [
        ("not_json", "a.jsonl:2: nested too deeply")
    ]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_utf16_that_is_cut_loses_its_end_alone(tmp_path: Path, suffix: str) -> None:
    """An odd number of bytes."""
    row = json.dumps({"query": "Where is honey kept?", "positive": HONEY})
    text = row if suffix == "jsonl" else f'query,positive\nWhere is honey kept?,"{HONEY}"'
    (tmp_path / f"a.{suffix}").write_bytes(f"{text}\n".encode("utf-16") + b"x")
    records, rejected = imported(tmp_path / f"a.{suffix}")
    assert (len(records), len(rejected)) == (1, 1)


def test_a_named_column_tells_the_format(tmp_path: Path) -> None:
    """Clicks that are named are counted; so are labels."""
    rows = [{"q": "honey store", "t": HONEY, "n": "3.0"}, {"q": "honey store", "t": NESTS, "n": 0}]
    own = Columns(query="q", positive="t", clicks="n")
    (record,), _ = imported(jsonl(tmp_path / "a.jsonl", *rows), columns=own)
    assert texts(record.positives) == [HONEY]
    rows = [{"q": HONEY, "t": "Bees store honey.", "l": "Entailment"},
            {"q": HONEY, "t": "Bees eat paper.", "l": "CONTRADICTION"}]  # fmt: skip
    own = Columns(query="q", positive="t", label="l")
    (record,), _ = imported(jsonl(tmp_path / "b.jsonl", *rows), columns=own)
    assert texts(record.positives) == ["Bees store honey."]
    assert texts(record.negatives) == ["Bees eat paper."]


def test_labels_of_entailment_are_no_pairs(tmp_path: Path) -> None:
    """JNLI's columns are those of any pair of sentences."""
    rows = [{"sentence1": HONEY, "sentence2": f"{label} of it", "label": label}
            for label in ("neutral", "contradiction", "entailment")]  # fmt: skip
    (record,), rejected = imported(jsonl(tmp_path / "a.jsonl", *rows))
    assert texts(record.positives) == ["entailment of it"]
    assert texts(record.negatives) == ["contradiction of it"]
    assert [item.reason for item in rejected] == ["neutral"]


@pytest.mark.parametrize("clicks", ["Infinity", "NaN", '"many"', "null"])
def test_clicks_that_are_no_number(tmp_path: Path, clicks: str) -> None:
    """None of them stops the import."""
    good = '{"query": "honey", "text": "' + HONEY + '", "clicks": 1}'
    path = jsonl(tmp_path / "a.jsonl", good, good.replace("honey", "wax", 1).replace("1", clicks))
    records, rejected = imported(path)
    assert (len(records), [item.reason for item in rejected]) == (1, ["no_clicks"])


def test_squad_that_is_out_of_shape(tmp_path: Path) -> None:
    """What is no paragraph or question is told; the others are read."""
    qas = [None, {"question": "Where is honey?", "id": "1", "answers": [{"text": "in combs"}]}]
    articles = [{"paragraphs": None}, {"paragraphs": ["x", {"context": HONEY, "qas": qas}]}]
    (tmp_path / "a.json").write_text(json.dumps({"data": articles}))
    records, rejected = imported(tmp_path / "a.json")
    assert [record.query for record in records] == ["Where is honey?"]
    assert [item.reason for item in rejected] == ["no_paragraph", "no_paragraph", "no_query"]


def test_ms_marcos_files_are_those_of_the_split(tmp_path: Path) -> None:
    """Both lie in one folder; dev comes before train."""
    (tmp_path / "collection.tsv").write_text(f"0\t{HONEY}\n1\t{NESTS}\n")
    for split, query, passage in (("dev.small", 7, 0), ("train", 9, 1)):
        (tmp_path / f"queries.{split}.tsv").write_text(f"{query}\twhat is in {split}\n")
        (tmp_path / f"qrels.{split}.tsv").write_text(f"{query}\t0\t{passage}\t1\n")
    assert [r.query for r in imported(tmp_path)[0]] == ["what is in train"]
    assert [r.query for r in imported(tmp_path, split="dev")[0]] == ["what is in dev.small"]
    with pytest.raises(InputError, match="eval"):
        imported(tmp_path, split="eval")


def test_a_missing_answer_is_no_address(tmp_path: Path) -> None:
    """Null in the column that holds answers: the next column is none."""
    rows = [{"question": "Where is honey?", "answer": HONEY, "url": "http://a/1"},
            {"question": "Where are nests?", "answer": None, "url": "http://a/2"}]  # fmt: skip
    records, rejected = imported(jsonl(tmp_path / "a.jsonl", *rows))
    assert [record.query for record in records] == ["Where is honey?"]
    assert [item.reason for item in rejected] == ["empty_positive"]


def test_columns_of_one_name_are_all_read(tmp_path: Path) -> None:
    """A spreadsheet with two columns of negatives."""
    path = tmp_path / "a.csv"
    path.write_text(f'query,positive,negative,negative\nhoney,"{HONEY}",Wax,Paper\n')
    (record,), _ = imported(path)
    assert texts(record.negatives) == ["Wax", "Paper"]


def test_parquet_that_is_broken_inside(tmp_path: Path) -> None:
    """The file is at fault, not the folder that is written to."""
    table = pa.table({"query": [f"honey {n}" for n in range(3000)], "positive": [HONEY] * 3000})
    pq.write_table(table, tmp_path / "a.parquet")
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[4:3000] = b"\xff" * 2996
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.parquet: broken"):
        imported(tmp_path / "a.parquet")
