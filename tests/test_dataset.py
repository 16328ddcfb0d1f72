"""Data set: rows, splits, the folder that `load_dataset` reads, and the exports."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.dataset.exports import FORMATS, ExportOptions, export
from generator.dataset.features import arrow_schema, features, record_to_row, row_to_record
from generator.dataset.folder import files_in
from generator.dataset.layout import config_name
from generator.dataset.source import records_of
from generator.dataset.split import MAX_TEST_GROUP, Split, split
from generator.dataset.write import write_dataset
from generator.errors import ConfigError, InputError
from generator.records import (
    Negative,
    Positive,
    Provenance,
    Record,
    Score,
    content_id,
    make_record,
    to_json,
)


def record(number: int, family: str = "short-long", language: str = "en", **fields: Any) -> Record:
    """A record that resembles no other of another number."""
    word = content_id(str(number))
    query = f"東京の{word}はどこですか" if language == "ja" else f"where is {word}"
    return make_record(
        **{
            "family": family,
            "task": "Find the page that answers the question.",
            "language": language,
            "query": query,
            "positives": (f"{word[::-1]} is here.",),
            "negatives": (f"{word[:9]} {number} was there.",),
            **fields,
        }
    )


def write_jsonl(path: Path, records: Sequence[Record]) -> Path:
    path.write_text("".join(to_json(item) + "\n" for item in records), encoding="utf-8")
    return path


def no_pairs(_: Sequence[str], __: float) -> Iterator[tuple[int, int, float]]:
    """No two texts are similar."""
    return iter(())


def word_pairs(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int, float]]:
    """Jaccard similarity of word sets, by comparing all with all."""
    words = [set(text.split()) for text in texts]
    for left in range(len(words)):
        for right in range(left + 1, len(words)):
            score = len(words[left] & words[right]) / len(words[left] | words[right])
            if score >= threshold:
                yield left, right, score


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def digests(folder: Path) -> dict[str, str]:
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files_in(folder)
    }


# Rows


texts = st.text(max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
scores = st.tuples() | st.tuples(st.builds(Score, texts, finite))
sources = st.sampled_from(("llm", "random", "bm25", "dense", "human"))
records = st.builds(
    Record,
    id=texts,
    family=texts,
    task=texts,
    language=st.sampled_from(("en", "ja", "en-ja")),
    symmetric=st.booleans(),
    label=st.none() | texts,
    in_batch=st.sampled_from(("all", "same_task", "none")),
    query=texts,
    positives=st.lists(st.builds(Positive, texts, texts, scores), max_size=3).map(tuple),
    negatives=st.lists(st.builds(Negative, texts, texts, sources, scores), max_size=3).map(tuple),
    provenance=st.builds(
        Provenance,
        model=st.none() | texts,
        templates=st.lists(texts, max_size=2).map(tuple),
        draw=st.none() | texts,
        seed=st.none() | st.integers(-(2**63), 2**63 - 1),
        requests=st.lists(texts, max_size=2).map(tuple),
        passage=st.none() | texts,
        source=st.none() | texts,
    ),
)


@given(records)
@settings(max_examples=60)
def test_rows_are_records_again(item: Record) -> None:
    """A record survives as a row and as a row that went through Arrow."""
    row = record_to_row(item)
    assert row_to_record(row) == item
    table = pa.Table.from_pylist([row], schema=arrow_schema())
    assert row_to_record(table.to_pylist()[0]) == item


def test_a_row_is_the_json_line_and_names_every_feature() -> None:
    """Parquet and JSONL hold the same values under the same names, in the same order."""
    row = record_to_row(record(1, language="ja"))
    assert row == json.loads(to_json(record(1, language="ja")))
    assert list(row) == list(features())


def test_lists_of_structs_and_no_metadata_of_one_version() -> None:
    """Negatives are lists of structs, and the schema says nothing that datasets 3 cannot read."""
    schema = arrow_schema()
    negatives = schema.field("negatives").type
    assert pa.types.is_list(negatives)
    assert [field.name for field in negatives.value_type] == ["id", "text", "source", "scores"]
    assert schema.metadata is None
    assert type(features()).from_arrow_schema(schema) == features()


# Source


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    """The error names file, line and field."""
    path = write_jsonl(tmp_path / "records.jsonl", [record(1)])
    row = record_to_row(record(2)) | {"query": 3}
    path.write_text(path.read_text() + "\n" + json.dumps(row) + "\n")
    with pytest.raises(InputError) as caught:
        list(records_of(path))
    assert str(caught.value).splitlines() == [
        f"{path}:3: not a record",
        "  - query: Input should be a valid string",
    ]


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    """A path that is not there is the user's error, not a bug."""
    with pytest.raises(InputError, match=r"nowhere\.jsonl: cannot be read"):
        list(records_of(tmp_path / "nowhere.jsonl"))


# Split


def sides(items: Sequence[Record], **options: Any) -> list[str]:
    chosen = split(lambda: items, **{"test_fraction": 0.3, "pairs": no_pairs, **options})
    return [chosen.side(item) for item in items]


def test_about_the_fraction_is_for_test() -> None:
    """Five percent of a thousand groups, give or take chance."""
    chosen = split(lambda: [record(n) for n in range(1000)], pairs=no_pairs)
    assert 30 <= len(chosen.test) <= 70
    assert chosen.groups == 1000


def test_a_shared_query_or_positive_shares_the_side() -> None:
    """Whatever the spelling, and also when one record's query is another's positive."""
    items = [
        other
        for n in range(60)
        for other in (
            record(n),
            record(n + 1000, query=f"  WHERE is {content_id(str(n))}?"),
            record(n + 2000, positives=(record(n).positives[0].text, f"second {n}")),
            record(n + 3000, query=f"second {n}"),
        )
    ]
    found = sides(items)
    assert {tuple(found[start : start + 4]) for start in range(0, len(items), 4)} == {
        ("train",) * 4,
        ("test",) * 4,
    }


def test_a_shared_label_is_no_leak() -> None:
    """Records of one class may be on both sides."""
    items = [record(n, label="refund", positives=("Ask for a refund",)) for n in range(60)]
    assert set(sides(items)) == {"train", "test"}
    assert split(lambda: items, pairs=no_pairs).groups == 60


def test_near_duplicates_share_the_side() -> None:
    """Query and positive together decide, at the threshold given."""
    items = [
        record(
            n * 10 + k,
            query=f"{content_id(str(n))} opening hours today {k}",
            positives=(f"{content_id(str(n), 'x')} opens at nine {k}",),
        )
        for n in range(40)
        for k in range(2)
    ]
    found = sides(items, pairs=word_pairs, near_threshold=0.7)
    assert {(found[i], found[i + 1]) for i in range(0, 80, 2)} == {("train",) * 2, ("test",) * 2}
    assert split(lambda: items, pairs=word_pairs, near_threshold=0.95).groups == 80


def test_minhash_finds_the_near_duplicates_by_default() -> None:
    """Without `pairs`, the search of `dedupe.near` groups texts that differ by a word."""
    pytest.importorskip("generator.dedupe.near")
    text = "The library by the river opens at nine in the morning and closes at eight at night"
    items = [record(n, query=f"{text} {n}", positives=(f"{text}, {n}.",)) for n in range(4)]
    assert split(lambda: [*items, *(record(n) for n in range(10, 20))]).groups == 11


def test_adding_and_reordering_records_moves_none() -> None:
    """The side follows from content and seed alone."""
    items = [record(n) for n in range(200)]
    more = [*reversed(items), *(record(n, language="ja") for n in range(500, 700))]
    assert (
        dict(zip(items, sides(items), strict=True)).items()
        <= dict(zip(more, sides(more), strict=True)).items()
    )
    assert sides(items, seed=1) != sides(items)


def test_small_sets_have_a_test_record_from_twenty_on() -> None:
    """One at least of 20, none needed of fewer, none when the fraction is nought."""
    twenty = [record(n) for n in range(20)]
    assert sides(twenty, test_fraction=1e-9).count("test") == 1
    assert sides(twenty[:19], test_fraction=1e-9).count("test") == 0
    assert sides(twenty, test_fraction=0).count("test") == 0


def test_a_group_that_has_grown_too_large_trains() -> None:
    """One chain of boilerplate must not become the test set."""
    same = [record(n, query="hello") for n in range(MAX_TEST_GROUP + 1)]
    chosen = split(lambda: same, test_fraction=0.999999, pairs=no_pairs)
    assert chosen == Split(frozenset(), groups=1, largest_group=MAX_TEST_GROUP + 1)


# The folder


@pytest.fixture
def mixed() -> list[Record]:
    """Two families in two languages: ragged negatives, a label, scores."""
    scored = Negative(content_id("s"), "Scored.", "dense", (Score("e5", 0.25), Score("bge", 0.5)))
    first = record(0)
    return [
        Record(**{**_fields(first), "negatives": (*first.negatives, scored)}),
        record(1, "sts", "ja", symmetric=True, negatives=()),
        record(2, "sts", label="a", in_batch="none", provenance=Provenance("m", ("t",), "{}", 7)),
        record(3, language="en-ja", positives=("東京です。", "京都です。")),
        record(4, "sts"),
    ]


def _fields(item: Record) -> dict[str, Any]:
    return {name: getattr(item, name) for name in Record.__slots__}


def test_load_dataset_reads_every_configuration_offline(
    mixed: list[Record], tmp_path: Path
) -> None:
    """A fresh Python with no network loads the folder: all, and one family, as declared."""
    chosen = Split(frozenset({mixed[4].id}))
    write_dataset(write_jsonl(tmp_path / "r.jsonl", mixed), tmp_path / "set", split=chosen)
    code = """
import json, sys
from datasets import load_dataset
everything, family = load_dataset(sys.argv[1]), load_dataset(sys.argv[1], "short-long")
from generator.dataset.features import features
print(json.dumps({
    "rows": {split: everything[split].to_list() for split in everything},
    "family": {split: list(family[split]["id"]) for split in family},
    "declared": all(split.features == features() for split in everything.values()),
}))
"""
    environment = {"PATH": os.environ["PATH"], "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "set")],
        env=environment | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["declared"] is True
    assert [row_to_record(row) for row in found["rows"]["test"]] == [mixed[4]]
    assert {row_to_record(row) for row in found["rows"]["train"]} == set(mixed[:4])
    assert found["family"] == {"train": [mixed[0].id, mixed[3].id]}


def test_the_layout_counts_what_was_written(mixed: list[Record], tmp_path: Path) -> None:
    """Files, rows and front matter agree; an empty split is not named."""
    layout = write_dataset(lambda: mixed, tmp_path / "set", split=Split(frozenset({mixed[4].id})))
    assert {c.name: dict(c.rows) for c in layout.configurations} == {
        "default": {"train": 4, "test": 1},
        "short-long": {"train": 2},
        "sts": {"train": 2, "test": 1},
    }
    assert files_in(tmp_path / "set") == [
        "README.md",
        "data/short-long/train-00000-of-00001.parquet",
        "data/sts/test-00000-of-00001.parquet",
        "data/sts/train-00000-of-00001.parquet",
        "test.jsonl",
        "train.jsonl",
    ]
    assert list(records_of(tmp_path / "set/test.jsonl")) == [mixed[4]]
    assert layout.front_matter()[1] == {
        "config_name": "short-long",
        "data_files": [{"split": "train", "path": "data/short-long/train-*.parquet"}],
    }


def test_shards_and_row_groups_have_the_size_asked_for(tmp_path: Path) -> None:
    """Rows stream into row groups, row groups into shards, in order."""
    items = [record(n) for n in range(25)]
    write_dataset(
        lambda: items,
        tmp_path / "set",
        split=Split(frozenset()),
        shard_rows=10,
        row_group_rows=4,
        jsonl=False,
    )
    paths = [tmp_path / "set" / name for name in files_in(tmp_path / "set") if "data/" in name]
    assert [path.name for path in paths] == [f"train-0000{n}-of-00003.parquet" for n in range(3)]
    groups = [pq.ParquetFile(path).metadata for path in paths]
    assert [[m.row_group(n).num_rows for n in range(m.num_row_groups)] for m in groups] == [
        [4, 4, 2],
        [4, 4, 2],
        [4, 1],
    ]
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    assert [row_to_record(row) for row in rows] == items


def test_the_same_records_give_the_same_bytes(mixed: list[Record], tmp_path: Path) -> None:
    """Written twice, to different folders and over an older one."""
    chosen = Split(frozenset({mixed[4].id}))
    write_dataset(lambda: mixed[:2], tmp_path / "b", split=chosen)
    for name in "ab":
        write_dataset(lambda: mixed, tmp_path / name, split=chosen)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert len(digests(tmp_path / "a")) == 6


def test_a_failure_leaves_the_old_folder(mixed: list[Record], tmp_path: Path) -> None:
    """The new folder appears whole or not at all."""
    folder = tmp_path / "set"
    write_dataset(lambda: mixed, folder, split=Split(frozenset()))
    before = digests(folder)

    def broken() -> Iterator[Record]:
        yield mixed[0]
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_dataset(broken, folder, split=Split(frozenset()))
    assert digests(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_somebody_elses_files_are_never_replaced(mixed: list[Record], tmp_path: Path) -> None:
    """A folder with a file that trine did not write is refused, and stays as it is."""
    folder = tmp_path / "set"
    write_dataset(lambda: mixed, folder, split=Split(frozenset()))
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError) as caught:
        write_dataset(lambda: mixed, folder, split=Split(frozenset()))
    assert caught.value.problems == ("thesis.tex",)
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_no_records_is_an_input_error(tmp_path: Path) -> None:
    """An empty data set is refused and leaves no folder."""
    with pytest.raises(InputError, match="no records"):
        write_dataset(list, tmp_path / "set", split=Split(frozenset()))
    assert list(tmp_path.iterdir()) == []


def test_configuration_names_are_safe_and_different() -> None:
    """A family keeps its name where it can; others get one that no other family has."""
    assert config_name("short-long") == "short-long"
    assert config_name("用語-検索") == "用語-検索"
    names = {config_name(family) for family in ("default", "a/b", "a b", "..", "日本?", "a*b")}
    assert len(names) == 6
    assert all(not set(name) & set("/ *?") for name in names)


def test_a_family_with_a_japanese_name_is_loaded_by_it(tmp_path: Path) -> None:
    """As configuration, folder and value."""
    from datasets import load_dataset  # noqa: PLC0415

    items = [record(1, "用語検索"), record(2)]
    write_dataset(lambda: items, tmp_path / "set", split=Split(frozenset()))
    found = load_dataset(str(tmp_path / "set"), "用語検索", cache_dir=str(tmp_path / "cache"))
    assert list(found["train"]["id"]) == [items[0].id]


# Exports


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """The hint lists what can be typed."""
    with pytest.raises(ConfigError) as caught:
        export(list, tmp_path / "x", "parket")
    assert caught.value.hint == (
        "--format one of: trine, sentence-transformers, beir, flagembedding, tevatron"
    )
    assert FORMATS[0] == "trine"


def test_trine_is_the_data_set_itself(mixed: list[Record], tmp_path: Path) -> None:
    """The own format is the folder of `write_dataset`."""
    options = ExportOptions(split=Split(frozenset()))
    assert export(lambda: mixed, tmp_path / "x", "trine", options) == {"train.jsonl": 5}
    assert list(records_of(tmp_path / "x/train.jsonl")) == mixed


def test_sentence_transformers_gives_a_row_for_each_pair_where_ragged(
    mixed: list[Record], tmp_path: Path
) -> None:
    """Two negatives here and one there: triplets; without negatives: pairs."""
    counts = export(lambda: mixed, tmp_path / "x", "sentence-transformers")
    assert counts == {"triplets.jsonl": 6, "pairs.jsonl": 1}
    rows = read_lines(tmp_path / "x/triplets.jsonl")
    assert [list(row) for row in rows] == [["anchor", "positive", "negative"]] * 6
    assert [row["negative"] for row in rows[:2]] == [n.text for n in mixed[0].negatives]
    assert [row["positive"] for row in rows if row["anchor"] == mixed[3].query] == [
        "東京です。",
        "京都です。",
    ]
    assert read_lines(tmp_path / "x/pairs.jsonl") == [
        {"anchor": mixed[1].query, "positive": mixed[1].positives[0].text}
    ]


def test_sentence_transformers_gives_n_tuples_where_it_can(tmp_path: Path) -> None:
    """As many negatives everywhere: one row a record, one column a negative."""
    items = [record(n, negatives=(f"no {n}", f"never {n}")) for n in range(3)]
    assert export(lambda: items, tmp_path / "x", "sentence-transformers") == {"n-tuples.jsonl": 3}
    assert read_lines(tmp_path / "x/n-tuples.jsonl")[1] == {
        "anchor": items[1].query,
        "positive": items[1].positives[0].text,
        "negative_1": "no 1",
        "negative_2": "never 1",
    }


def test_the_instruction_goes_on_the_query_and_on_both_sides_where_symmetric(
    tmp_path: Path,
) -> None:
    """Braces in a text stay what they are."""
    items = [
        record(1, query="what is {task}?", positives=("a {query}",), task="Find {it}."),
        record(2, query="same", positives=("as this",), task="Match.", symmetric=True),
    ]
    export(lambda: items, tmp_path / "x", "sentence-transformers", ExportOptions(instruction=True))
    rows = read_lines(tmp_path / "x/triplets.jsonl")
    assert (rows[0]["anchor"], rows[0]["positive"]) == (
        "Instruct: Find {it}.\nQuery: what is {task}?",
        "a {query}",
    )
    assert rows[1]["positive"] == "Instruct: Match.\nQuery: as this"


def test_beir_has_every_text_once_and_all_positives_of_a_query(tmp_path: Path) -> None:
    """The layout of a BEIR folder: corpus, queries, judgements."""
    items = [
        record(1, query="q", positives=("yes",), negatives=("no",)),
        record(2, query="q", positives=("also",), negatives=("no",)),
        record(3, query="r", positives=("no",), negatives=("yes",)),
    ]
    folder = tmp_path / "x"
    assert export(lambda: items, folder, "beir") == {"queries.jsonl": 2, "corpus.jsonl": 3}
    corpus = {row["_id"]: row["text"] for row in read_lines(folder / "corpus.jsonl")}
    queries = {row["_id"]: row["text"] for row in read_lines(folder / "queries.jsonl")}
    header, *judged = (folder / "qrels/test.tsv").read_text().splitlines()
    assert header == "query-id\tcorpus-id\tscore"
    pairs = [line.split("\t") for line in judged]
    assert [(queries[q], corpus[d], score) for q, d, score in pairs] == [
        ("q", "yes", "1"),
        ("q", "also", "1"),
        ("r", "no", "1"),
    ]


def test_beir_and_flagembedding_have_the_columns_of_real_sets(tmp_path: Path) -> None:
    """Our rows have the keys, in order, of rows that others published."""
    export(lambda: [record(1)], tmp_path / "b", "beir")
    assert list(read_lines(tmp_path / "b/corpus.jsonl")[0]) == ["_id", "title", "text"]
    assert list(read_lines(tmp_path / "b/queries.jsonl")[0]) == ["_id", "text"]
    export(lambda: [record(1)], tmp_path / "f", "flagembedding")
    (ours,) = read_lines(tmp_path / "f/short-long-normal.jsonl")
    assert list(ours) == ["query", "pos", "neg", "prompt", "type"]


def test_flagembedding_has_a_file_for_each_kind_of_row(mixed: list[Record], tmp_path: Path) -> None:
    """One type a file; in-batch negatives are turned off by the end of the name."""
    counts = export(lambda: mixed, tmp_path / "x", "flagembedding")
    assert counts == {
        "short-long-normal.jsonl": 2,
        "sts-symmetric_sts-without_negatives.jsonl": 1,
        "sts-symmetric_class-no_in_batch_neg.jsonl": 1,
        "sts-normal.jsonl": 1,
    }
    assert read_lines(tmp_path / "x/short-long-normal.jsonl")[0] == {
        "query": mixed[0].query,
        "pos": [mixed[0].positives[0].text],
        "neg": [negative.text for negative in mixed[0].negatives],
        "prompt": mixed[0].task,
        "type": "normal",
    }


def test_tevatron_has_passages_with_ids(mixed: list[Record], tmp_path: Path) -> None:
    """Query id, query, positive and negative passages; those without negatives apart."""
    counts = export(lambda: mixed, tmp_path / "x", "tevatron")
    assert counts == {"train.jsonl": 4, "train-without-negatives.jsonl": 1}
    row = read_lines(tmp_path / "x/train.jsonl")[2]
    assert row["query_id"] == mixed[3].id
    assert row["positive_passages"] == [
        {"docid": content_id(text), "title": "", "text": text}
        for text in ("東京です。", "京都です。")
    ]
    assert [passage["text"] for passage in row["negative_passages"]] == [mixed[3].negatives[0].text]


@pytest.mark.parametrize("format_name", FORMATS)
def test_exports_are_repeatable(format_name: str, mixed: list[Record], tmp_path: Path) -> None:
    """Every format gives the same bytes twice, and replaces what it wrote."""
    options = ExportOptions(split=Split(frozenset()))
    export(lambda: mixed, tmp_path / "x", format_name, options)
    first = digests(tmp_path / "x")
    export(lambda: mixed, tmp_path / "x", format_name, options)
    assert digests(tmp_path / "x") == first
