"""Pairs of one's own through the verbs: import, mine, filter, dedupe, train, export, iterate."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command import Trine

sys.path.append(str(Path(__file__).parent.parent / "trainer"))

from trainer_worlds import make_folder

# Six passages in English and two in Japanese, with a question or two each.
PASSAGES = {
    "bees": ("Bees store honey in combs of wax, and a keeper takes some of it out in summer.",
             ("where do bees store their honey", "when does a keeper take honey out")),
    "wasps": ("Wasps build their nests of paper that they chew from wood, and store no honey.",
              ("what do wasps build their nests of",)),
    "rivers": ("A river carries sand and stones down to the sea, where they form a delta.",
               ("what does a river carry to the sea",)),
    "lakes": ("A lake keeps the sand that its rivers bring, until it has filled up.",
              ("what fills a lake up in the end",)),
    "bread": ("Bread rises because yeast turns sugar into gas, which the dough holds.",
              ("why does bread rise in the oven",)),
    "beer": ("Beer foams because yeast turns the sugar of the malt into gas and alcohol.",
             ("what makes the foam of a beer",)),
    "梅雨": ("梅雨は北海道と小笠原諸島を除く日本にみられる雨の多い時期のことである。",
           ("梅雨がみられない地域はどこですか。",)),
    "台風": ("台風は夏から秋にかけて日本に近づき、強い風と多くの雨をもたらすことがある。",
           ("台風はいつごろ日本に近づきますか。",)),
}  # fmt: skip


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_squad(path: Path) -> Path:
    """SQuAD 2.0: articles, paragraphs, questions, one of them unanswerable."""
    data = []
    for title, (context, questions) in PASSAGES.items():
        asked: list[dict[str, Any]] = [
            {"id": f"{title}{n}", "question": question, "is_impossible": False,
             "answers": [{"text": context[:4], "answer_start": 0}]}
            for n, question in enumerate(questions)
        ]  # fmt: skip
        asked.append({"id": f"{title}-x", "question": "who won?", "is_impossible": True,
                      "answers": []})  # fmt: skip
        data.append({"title": title, "paragraphs": [{"context": context, "qas": asked}]})
    path.write_text(json.dumps({"version": "v2.0", "data": data}), encoding="utf-8")
    return path


def write_msmarco(folder: Path) -> Path:
    """MS MARCO: collection, queries and judgements, with one of a passage that is not there."""
    folder.mkdir()
    collection, queries, judgements = [], [], ["99\t0\tnowhere\t1"]
    for number, (context, questions) in enumerate(PASSAGES.values()):
        collection.append(f"{number}\t{context}")
        for question in questions:
            judgements.append(f"{len(queries)}\t0\t{number}\t1")
            queries.append(f"{len(queries)}\t{question}")
    files = {"collection.tsv": collection, "queries.train.tsv": queries,
             "qrels.train.tsv": judgements}  # fmt: skip
    for name, lines in files.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base model."""
    return make_folder(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The passages as a BEIR corpus."""
    path = tmp_path / "corpus.jsonl"
    lines = [json.dumps({"_id": name, "text": text}) for name, (text, _) in PASSAGES.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


TRAINING = ("lora=null", "batch_size=4", "epochs=1", "learning_rate=3e-3", "dtype=float32",
            "tokens.max_tokens=32", "warmup_steps=0")  # fmt: skip


def settings(section: str = "") -> list[str]:
    """Flags that make a training of seconds."""
    return [part for key in TRAINING for part in ("--set", f"{section}{key}")]


@pytest.mark.parametrize("kind", ["squad", "msmarco"])
def test_pairs_go_from_a_file_to_a_model_and_every_export(
    trine: Trine, tmp_path: Path, corpus: Path, base: Path, kind: str
) -> None:
    """Nothing is lost on the way: each row is kept, or rejected with its place and reason."""
    source = write_squad(tmp_path / "s.json") if kind == "squad" else write_msmarco(tmp_path / "m")
    assert trine("import", source, "-o", tmp_path / "pairs").code == 0
    pairs = rows(tmp_path / "pairs" / "records.jsonl")
    assert len(pairs) == 9
    rejected = {row["reason"] for row in rows(tmp_path / "pairs" / "rejected.jsonl")}
    assert rejected == ({"unanswerable"} if kind == "squad" else {"no_query"})

    mined = trine("mine", tmp_path / "pairs", "--corpus", corpus, "--negatives", 2,
                  "-o", tmp_path / "mined")  # fmt: skip
    assert mined.code == 0
    assert "9 records of 8 texts" in mined.err
    found = {row["query"]: row for row in rows(tmp_path / "mined" / "records.jsonl")}
    assert [row["id"] for row in found.values()] == [row["id"] for row in pairs]
    assert found["where do bees store their honey"]["negatives"][0]["text"] == PASSAGES["wasps"][0]
    japanese = found["梅雨がみられない地域はどこですか。"]["negatives"]
    assert [text["text"] for text in japanese] == [PASSAGES["台風"][0]]

    assert trine("filter", tmp_path / "mined", "-o", tmp_path / "filtered").code == 0
    assert trine("dedupe", tmp_path / "filtered", "-o", tmp_path / "deduped").code == 0
    kept = rows(tmp_path / "deduped" / "records.jsonl")
    lost = [*rows(tmp_path / "filtered" / "rejected.jsonl"),
            *rows(tmp_path / "deduped" / "rejected.jsonl")]  # fmt: skip
    assert len(kept) + len(lost) == 9
    assert len(kept) >= 8

    model = tmp_path / "model"
    assert trine("train", tmp_path / "deduped", "--base", base, "-o", model, *settings()).code == 0
    ended = trine("search", model / "model", corpus, "bees and honey", "-n", 3, "--json", "-q")
    assert len(ended.out.splitlines()) == 3
    for name in ("trine", "sentence-transformers", "beir", "flagembedding", "tevatron"):
        ended = trine("export", tmp_path / "deduped", "--format", name, "-o", tmp_path / name)
        assert ended.code == 0
    written = [row for path in (tmp_path / "flagembedding").glob("*.jsonl") for row in rows(path)]
    assert {row["query"] for row in written} == {row["query"] for row in kept}
    mined = {row["query"]: [text["text"] for text in row["negatives"]] for row in kept}
    assert all(row.get("neg", []) == mined[row["query"]] for row in written)


def test_a_folder_of_records_is_never_replaced_by_its_own_result(
    trine: Trine, tmp_path: Path
) -> None:
    """`filter`, `dedupe` and `mine` into the folder that they read: exit 2, and it stays."""
    assert trine("import", write_squad(tmp_path / "s.json"), "-o", tmp_path / "pairs").code == 0
    before = (tmp_path / "pairs" / "rejected.jsonl").read_text(encoding="utf-8")
    for verb in ("filter", "dedupe", "mine"):
        ended = trine(verb, tmp_path / "pairs", "-o", tmp_path / "pairs")
        assert (ended.code, "would be replaced" in ended.err) == (2, True)
    assert (tmp_path / "pairs" / "rejected.jsonl").read_text(encoding="utf-8") == before
    assert trine("show", tmp_path / "pairs", "-n", 1).out.startswith("imported · en")
    assert "unanswerable" in trine("show", tmp_path / "pairs", "--rejected", "-n", 1).out


def test_two_rounds_mine_with_the_model_of_the_round_before(
    trine: Trine, tmp_path: Path, corpus: Path, base: Path
) -> None:
    """BM25 first, then the trained model, which scores too; given again, nothing is done again."""
    assert trine("import", write_squad(tmp_path / "s.json"), "-o", tmp_path / "pairs").code == 0
    command = ["iterate", tmp_path / "pairs", "--corpus", corpus, "--base", base, "-o",
               tmp_path / "rounds", "--json", "--set", "train.recipe=null", "--set",
               "first.rank_min=0", *settings("train.")]  # fmt: skip
    ended = trine(*command)
    assert ended.code == 0
    first, second = json.loads(ended.out)
    assert (first["teacher"], second["teacher"]) == ("", "model")
    negatives = [
        rows(tmp_path / "rounds" / f"round-{n}" / "mined" / "records.jsonl") for n in (1, 2)
    ]
    sources = [{text["source"] for row in round_ for text in row["negatives"]}
               for round_ in negatives]  # fmt: skip
    assert sources == [{"bm25"}, {"dense"}]
    assert all(row["positives"][0]["scores"][0]["teacher"] == "model" for row in negatives[1])
    weights = Path(second["model"]) / "model.safetensors"
    made = weights.stat().st_mtime_ns
    again = trine(*command)
    assert json.loads(again.out) == [first, second]
    assert "training" not in again.err
    assert weights.stat().st_mtime_ns == made
    changed = trine(*command, "--set", "train.seed=7")
    assert (changed.code, "round 2: training" in changed.err) == (0, True)
    assert "going on from step" not in changed.err
    with corpus.open("a", encoding="utf-8") as file:
        file.write('{"_id": "new", "text": "Honey is sold at the market in jars."}\n')
    assert "round 1: training" in trine(*command).err
    misspelt = trine(*command, "--set", "rouns=2")
    assert (misspelt.code, "rouns: unknown key (did you mean rounds?)" in misspelt.err) == (2, True)


def test_an_import_that_fails_tells_the_columns_and_replaces_nothing(
    trine: Trine, tmp_path: Path
) -> None:
    """What an earlier import left stays; the error names what the rows have."""
    out = tmp_path / "pairs"
    good = trine("import", write_squad(tmp_path / "s.json"), "-o", out)
    assert f"next: trine mine {out} -o {out}-mined" in good.err
    before = (out / "records.jsonl").read_text(encoding="utf-8")
    path = tmp_path / "wrong.jsonl"
    path.write_text('{"q": "who?", "doc": "a bee"}\n' * 2, encoding="utf-8")
    ended = trine("import", path, "-o", out)
    assert ended.code == 2
    assert "no_query: 2 rows, first wrong.jsonl:1: columns: q, doc" in ended.err
    assert "--query-column" in ended.err
    assert (out / "records.jsonl").read_text(encoding="utf-8") == before
    ended = trine("import", path, "-o", out, "--query-column", "q", "--positive-column", "doc")
    assert (ended.code, "2 records, 0 rows rejected" in ended.err) == (0, True)


def test_a_folder_of_records_is_compared_with_an_evaluation_set(
    trine: Trine, tmp_path: Path, corpus: Path
) -> None:
    """As a file of records is; nothing of a run is needed."""
    assert trine("import", write_squad(tmp_path / "s.json"), "-o", tmp_path / "pairs").code == 0
    ended = trine("contamination", tmp_path / "pairs", "--against", corpus, "-q", "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["records"] == 9


def test_a_folder_that_holds_a_model_stands_for_it(
    trine: Trine, tmp_path: Path, corpus: Path, base: Path
) -> None:
    """`trine train -o M` writes M/model, and `trine search M` finds it."""
    assert trine("import", write_squad(tmp_path / "s.json"), "-o", tmp_path / "pairs").code == 0
    ended = trine("train", tmp_path / "pairs", "--base", base, "-o", tmp_path / "m", *settings(),
                  "--set", "max_steps=1")  # fmt: skip
    assert "1 step in" in ended.err
    assert f"next: trine eval {tmp_path / 'm' / 'model'} DIR_OF_A_TASK" in ended.err
    query = ("search", tmp_path / "m", corpus, "bees", "-q", "--json")
    inner = ("search", tmp_path / "m" / "model", corpus, "bees", "-q", "--json")
    assert trine(*query).out == trine(*inner).out != ""


def test_what_has_no_vector_and_what_asks_nothing(
    trine: Trine, tmp_path: Path, corpus: Path
) -> None:
    """BM25 is no name of the Hub; an empty query is no question."""
    ended = trine("encode", "bm25", corpus, "-o", tmp_path / "v.npy")
    assert (ended.code, "it has no vectors" in ended.err) == (2, True)
    ended = trine("search", "bm25", corpus, " ")
    assert (ended.code, "the query is empty" in ended.err) == (2, True)
