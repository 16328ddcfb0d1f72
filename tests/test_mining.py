"""Mining as a whole: records and a corpus → negatives, through every source and teacher."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generator import miners
from generator.encoders.base import Kind, Vectors, normalised
from generator.errors import InputError, UserError
from generator.llm.scripted import ScriptedLLM
from generator.mineconfig import MineConfig
from generator.mining import Mined, mine_file
from generator.modelconfig import ModelConfig
from generator.models import open_encoder
from generator.recordfile import read_lines
from generator.records import Prompt, Record, make_record, to_json
from generator.search.bm25 import BM25, K1, B
from generator.search.passages import stream_passages
from generator.search.tokenise import Tokeniser
from generator.text import shingles

SUBJECTS = (
    "bees",
    "wasps",
    "rivers",
    "lakes",
    "bread",
    "beer",
    "winter",
    "summer",
    "glass",
    "iron",
)
PLACES = ("the north", "the south", "a valley", "the mountains", "an island", "a city")
PASSAGES = [
    f"In {place} {subject} are found at number {n}, as people there have always said."
    for n, (subject, place) in enumerate((s, p) for s in SUBJECTS for p in PLACES)
]
JAPANESE = [
    "梅雨は北海道を除く日本の雨期である。", "台風は夏に日本に近づく。", "雨の多い北海道。",
]  # fmt: skip


class Grams:
    """A small encoder that is real: hashed character 5-grams, so texts alike lie together."""

    def __init__(self, name: str = "grams", breaks_after: int | None = None) -> None:
        self.name = name
        self.encoded: list[str] = []
        self._left = breaks_after

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
        """Counts of 5-grams in 256 buckets, at length 1."""
        del kind, task
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
        self.encoded += texts
        found = np.zeros((len(texts), 256), dtype=np.float32)
        for row, text in enumerate(texts):
            np.add.at(found[row], shingles(text) % 256, 1)
        return normalised(found)


Open = Callable[..., Grams]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Encoders by any name; `opened(...)` sets what the next ones are."""
    made: dict[str, Any] = {}

    def set_encoder(**keys: Any) -> Grams:
        made["encoder"] = Grams(**keys)
        return made["encoder"]

    monkeypatch.setattr(miners, "open_encoder", lambda *_, **__: made["encoder"])
    return set_encoder


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder with records, a question for every third passage, and a corpus."""
    records = [
        make_record(family="f", task="t", language="en", query=f"who found {text.split()[3]} in "
                    f"{' '.join(text.split()[1:3])} at number {n}", positives=(text,))
        for n, text in enumerate(PASSAGES) if n % 3 == 0
    ]  # fmt: skip
    (tmp_path / "records.jsonl").write_text("".join(to_json(r) + "\n" for r in records))
    lines = [json.dumps({"_id": f"p{n}", "text": text}) for n, text in enumerate(PASSAGES)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def mined(world: Path, name: str = "out", **keys: Any) -> tuple[Mined, list[Record]]:
    """Mine into a folder of the world; what it says, and the records."""
    config = MineConfig(corpus=world / "corpus.jsonl", **keys)
    found = mine_file(world / "records.jsonl", world / name, config)
    return found, list(read_lines(Record, world / name / "records.jsonl"))


def keep_first(world: Path, count: int) -> None:
    """Leave the first records of the world alone."""
    lines = (world / "records.jsonl").read_text().splitlines()[:count]
    (world / "records.jsonl").write_text("\n".join(lines) + "\n")


def bytes_of(world: Path, name: str) -> tuple[bytes, bytes]:
    """What a mining has written."""
    folder = world / name
    return (folder / "records.jsonl").read_bytes(), (folder / "negatives.jsonl").read_bytes()


@pytest.mark.parametrize("source", ["random", "bm25", "dense", "hybrid"])
def test_every_source_gives_negatives_with_its_name(world: Path, opened: Open, source: str) -> None:
    """Never the positive; with an encoder the teacher's scores lie below the cut."""
    opened()
    keys = {"encoder": "grams"} if source in {"dense", "hybrid"} else {}
    found, records = mined(world, source=source, negatives=3, near_threshold=None, **keys)
    assert found.records == len(records) == 20
    assert found.texts == 60
    for record in records:
        assert record.positives[0].text not in {text.text for text in record.negatives}
        assert {text.source for text in record.negatives} == {source}
        scores = [score.value for text in record.negatives for score in text.scores]
        assert not keys or max(scores) < 0.95 * record.positives[0].scores[0].value
    lines = (world / "out" / "negatives.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["decision"].count("negative") for line in lines) == sum(
        len(record.negatives) for record in records
    )


@pytest.mark.parametrize("encodings", [1, 3, 5])
def test_a_killed_mining_goes_on_and_ends_the_same(
    world: Path, opened: Open, monkeypatch: pytest.MonkeyPatch, encodings: int
) -> None:
    """Killed while passages or queries are encoded: none on disk is encoded twice."""
    monkeypatch.setattr("generator.encoders.vectors.ENCODED_AT_ONCE", 16)
    monkeypatch.setattr("generator.mining.SEARCHED_AT_ONCE", 7)
    monkeypatch.setattr("generator.mining.SCORED_AT_ONCE", 3)
    opened()
    mined(world, "whole", encoder="grams")
    first = opened(breaks_after=encodings)
    with pytest.raises(KeyboardInterrupt):
        mined(world, "killed", encoder="grams")
    with (world / "killed" / "mine" / "vectors" / "vectors.bin").open("ab") as file:
        file.write(b"torn")
    second = opened()
    mined(world, "killed", encoder="grams")
    assert bytes_of(world, "killed") == bytes_of(world, "whole")
    assert not set(first.encoded) & set(second.encoded)


def test_other_cuts_search_and_score_nothing_again(world: Path, opened: Open) -> None:
    """Deciding keys: no text is encoded; another record set keeps the corpus' vectors."""
    opened()
    mined(world, encoder="grams")
    again = opened()
    _, records = mined(world, encoder="grams", percent=0.5, negatives=2, temperature=0.1)
    assert again.encoded == []
    assert max(len(record.negatives) for record in records) <= 2
    keep_first(world, 5)
    mined(world, encoder="grams")
    assert len(again.encoded) == 5  # the queries


def test_a_teacher_beside_the_source_scores_only_what_is_found(world: Path, opened: Open) -> None:
    """BM25 finds, an encoder scores: not the whole corpus is encoded; a wider range is searched."""
    keep_first(world, 4)
    teacher = opened(name="teacher")
    found, records = mined(world, teacher="teacher", rank_max=5)
    assert found.teacher == "teacher"
    assert {s.teacher for r in records for n in r.negatives for s in n.scores} == {"teacher"}
    assert len(set(teacher.encoded) & set(PASSAGES)) < 30
    again = opened(name="teacher")
    mined(world, teacher="teacher", rank_max=4)
    assert not set(again.encoded) & set(PASSAGES)


def test_an_index_of_faiss_finds_nearly_what_exact_search_does(world: Path, opened: Open) -> None:
    """HNSW on so few vectors finds all; scores of cuts are exact, and a wrong name is told."""
    pytest.importorskip("faiss")
    opened()
    _, exact = mined(world, "exact", encoder="grams")
    _, approximate = mined(world, "ann", encoder="grams", ann="HNSW16")
    same = [{n.text for n in a.negatives} == {n.text for n in b.negatives}
            for a, b in zip(exact, approximate, strict=True)]  # fmt: skip
    assert np.mean(same) > 0.9
    assert approximate[0].positives[0].scores == pytest.approx(exact[0].positives[0].scores)
    with pytest.raises(InputError, match="no faiss index"):
        mined(world, "bad", encoder="grams", ann="NOPE7")


def test_an_llm_grades_each_pair_once(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of grade 3, as the positive has, are no negatives; again, nothing is sent."""
    keep_first(world, 3)
    asked: list[Prompt] = []

    def script(prompt: Prompt) -> str:
        asked.append(prompt)
        query, _, passage = prompt.messages[0].content.partition("Query: ")[2].partition("Passage:")
        alike = [subject for subject in SUBJECTS if subject in query and subject in passage]
        return json.dumps({"grade": 3 if alike else 1})

    monkeypatch.setattr("generator.llm.backends.open_llm", lambda *_: ScriptedLLM(script))
    config = MineConfig(corpus=world / "corpus.jsonl", teacher="llm", rank_max=10)
    llm = ModelConfig(model="judge", backend="scripted")
    found = mine_file(world / "records.jsonl", world / "out", config, llm=llm)
    assert found.teacher == "llm:judge"
    assert found.decisions["percent_of_positive"] > 0
    for record in read_lines(Record, world / "out" / "records.jsonl"):
        assert record.positives[0].scores[0].value == 3
        assert {text.scores[0].value for text in record.negatives} <= {1.0}
    number = len(asked)
    (world / "out" / "mine" / "candidates.jsonl").unlink()
    mine_file(world / "records.jsonl", world / "out", config, llm=llm)
    assert len(asked) == number
    with pytest.raises(UserError, match="no LLM to judge with"):
        mine_file(world / "records.jsonl", world / "none", config)


def test_what_is_missing_is_told_before_anything_is_encoded(
    world: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A teacher that is not there, a GPU that is not there; a corpus too small for its index."""
    encoder = opened()
    monkeypatch.setattr(miners, "open_encoder", lambda name, **_: encoder if name == "grams"
                        else open_encoder(name))  # fmt: skip
    for teacher in ("./nowhere", "cross-encoder:./nowhere"):
        with pytest.raises(UserError, match="nowhere"):
            mined(world, encoder="grams", teacher=teacher)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InputError, match="no GPU"):
        mined(world, encoder="grams", device="cuda")
    assert encoder.encoded == []
    pytest.importorskip("faiss")
    with pytest.raises(InputError, match="60 texts are too few"):
        mined(world, encoder="grams", ann="IVF64,Flat")


def test_a_corpus_is_jsonl_or_lines(world: Path) -> None:
    """By its suffix; a table or an archive read line by line would be nonsense."""
    (world / "c.ndjson").write_text('{"_id": "1", "text": "Bees \\ud83d in a valley."}\n')
    assert [p.full for p in stream_passages(world / "c.ndjson")] == ["Bees \ufffd in a valley."]
    for name in ("collection.tsv", "a.csv", "a.parquet", "a.jsonl.gz"):
        (world / name).write_text("1\tBees in a valley.\n")
        with pytest.raises(InputError, match="neither JSONL nor a text"):
            mine_file(world / "records.jsonl", world / "out", MineConfig(corpus=world / name))


def test_nothing_to_mine_is_told(world: Path) -> None:
    """No record, a corpus without text, a corpus that is not there."""
    (world / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="no records to mine for"):
        mine_file(world / "empty.jsonl", world / "out", MineConfig())
    (world / "corpus.jsonl").write_text('{"_id": "1", "text": " "}\n')
    with pytest.raises(InputError) as told:
        mined(world)
    assert told.value.hint
    with pytest.raises(InputError):
        mine_file(world / "records.jsonl", world / "out", MineConfig(corpus=world / "none.jsonl"))


@pytest.mark.parametrize(
    ("language", "texts", "queries"),
    [
        ("en", PASSAGES, ["bees found in the mountains", "number 7 of the wasps", "people said"]),
        ("none", JAPANESE, ["北海道の梅雨", "日本の台風と雨"]),
    ],
)  # fmt: skip
def test_bm25_equals_the_formula(language: str, texts: list[str], queries: list[str]) -> None:
    """Lucene's BM25 written out (Robertson & Zaragoza 2009), on every text for every query."""
    index, terms = BM25(texts, language=language), Tokeniser(language)
    documents = [terms(text) for text in texts]
    mean = np.mean([len(document) for document in documents])

    def score(query: str, document: list[str]) -> float:
        total = 0.0
        for term in terms(query):
            holders = sum(term in other for other in documents)
            idf = log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
            count = document.count(term)
            total += idf * count / (count + K1 * (1 - B + B * len(document) / mean))
        return total

    for query in queries:
        expected = np.array([score(query, document) for document in documents])
        assert (expected > 0).sum() > 1
        found = np.where(np.isneginf(index.scores(query)), 0, index.scores(query))
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
