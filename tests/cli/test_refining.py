"""Refining as a whole: files in, files out, resumed, repeated, as a stage of a run."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generator import measuring
from generator.config import RunConfig, load_config
from generator.encoders import Kind, Vectors, normalised
from generator.errors import InputError
from generator.llm.scripted import ScriptedLLM
from generator.records import Prompt, Record, Rejected, from_json, make_record, to_json
from generator.refineconfig import JudgeConfig
from generator.refining import refine_file
from tests.command import Trine

ANIMALS = "otters badgers herons beavers lynxes storks newts voles shrews martens".split()
FOOD = "fish roots frogs bark hares insects larvae seeds worms squirrels".split()


class Words:
    """Vectors that count words: texts that share some are near."""

    name = "words"

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:  # noqa: ARG002
        """A row a text, of length 1."""
        self.encoded += len(texts)
        found = np.full((len(texts), 256), 0.02, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().replace("?", "").replace(".", "").split():
                found[row, zlib.crc32(word.encode()) % 256] += 1
        return normalised(found)


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Words:
    """The encoder that every test here gets, whatever its name."""
    encoder = Words()
    monkeypatch.setattr(measuring, "open_encoder", lambda *_, **__: encoder)
    return encoder


def _passage(number: int) -> str:
    animal, food = ANIMALS[number], FOOD[number]
    return f"The {animal} of the {food} valley live on {food} and sleep by day."


def _records() -> list[Record]:
    """Eight sound ones, one with a stranger's positive, one with a negative that answers."""
    made = [
        make_record(
            family="animals", task="t", language="en", query=f"what do {ANIMALS[n]} live on?",
            positives=(_passage(n),), negatives=(_passage((n + 3) % 10),),
        )
        for n in range(10)
    ]  # fmt: skip
    answers = f"By day the {ANIMALS[9]} of the {FOOD[9]} valley sleep and live on {FOOD[9]}."
    made[9] = make_record(
        family="animals", task="t", language="en", query=made[9].query,
        positives=(_passage(9),), negatives=(answers, _passage(1)),
    )  # fmt: skip
    made[8] = make_record(
        family="animals", task="t", language="en", query=made[8].query, positives=(_passage(2),)
    )
    return made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The records, and a corpus of all ten passages beside them."""
    path = tmp_path / "records.jsonl"
    path.write_text("".join(to_json(record) + "\n" for record in _records()))
    rows = [json.dumps({"_id": str(n), "text": _passage(n)}) + "\n" for n in range(10)]
    (tmp_path / "corpus.jsonl").write_text("".join(rows))
    return path


def _config(source: Path, **keys: object) -> RunConfig:
    corpus = source.parent / "corpus.jsonl"
    return RunConfig.model_validate({"refine": {"corpus": corpus, "max_behind": 2, **keys}})


def _read(folder: Path) -> tuple[list[Record], list[Rejected]]:
    kept = (folder / "records.jsonl").read_text().splitlines()
    lost = (folder / "rejected.jsonl").read_text().splitlines()
    return [from_json(Record, line) for line in kept], [from_json(Rejected, line) for line in lost]


def _decisions(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "refined.jsonl").read_text().splitlines()]


def test_what_fails_is_dropped_and_everything_is_explained(
    source: Path, tmp_path: Path, words: Words
) -> None:
    """Kept and rejected are the input; each score is in the record, each decision in a file."""
    refined = refine_file(source, tmp_path / "out", _config(source))
    kept, lost = _read(tmp_path / "out")
    assert [record.id for record in kept] == [r.id for n, r in enumerate(_records()) if n != 8]
    assert [(item.stage, item.reason) for item in lost] == [("refine", "positive_far_behind")]
    assert lost[0].record == _records()[8]
    assert "texts come before it" in lost[0].detail
    assert [negative.text for negative in kept[-1].negatives] == [_passage(1)]
    assert all(text.scores[0].teacher == "words" for r in kept for text in r.positives)
    assert (refined.records, refined.kept, refined.texts) == (10, 9, 10)
    rows = _decisions(tmp_path / "out")
    assert rows[9]["negatives"][0]["decision"] == "dropped"
    assert rows[9]["negatives"][0]["reason"] == "negative_like_positive"
    assert rows[8]["rejected"] == "positive_far_behind"
    assert words.encoded == 10 + 1 + 10  # passages, the negative that is none of them, queries


def test_nothing_is_done_twice_under_other_thresholds(
    source: Path, tmp_path: Path, words: Words
) -> None:
    """And the result of the first ones comes back bit for bit."""
    refine_file(source, tmp_path / "out", _config(source))
    first = (tmp_path / "out" / "records.jsonl").read_bytes()
    encoded = words.encoded
    loose = refine_file(source, tmp_path / "out", _config(source, max_behind=None, top_k=None))
    assert loose.kept == 10
    refine_file(source, tmp_path / "out", _config(source))
    assert words.encoded == encoded
    assert (tmp_path / "out" / "records.jsonl").read_bytes() == first


def test_a_killed_refinement_goes_on_where_it_was(
    source: Path, tmp_path: Path, words: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks that are on disk are kept, a torn line is made again."""
    monkeypatch.setattr(measuring, "MEASURED_AT_ONCE", 4)
    whole = refine_file(source, tmp_path / "whole", _config(source))
    refine_file(source, tmp_path / "out", _config(source))
    measures = tmp_path / "out" / "refine" / "measures.jsonl"
    lines = measures.read_bytes().splitlines(keepends=True)
    measures.write_bytes(b"".join(lines[:5]) + lines[5][:20])
    words.encoded = 0
    again = refine_file(source, tmp_path / "out", _config(source))
    assert words.encoded == 5  # the queries of records 5 to 9
    assert again == whole
    assert _read(tmp_path / "out") == _read(tmp_path / "whole")


def test_refining_what_was_refined_changes_nothing(
    source: Path, tmp_path: Path, words: Words
) -> None:
    """Also where false negatives have become positives."""
    assert words
    for action in ("drop", "relabel"):
        config = _config(source, negatives=action)
        refine_file(source, tmp_path / action, config)
        again = refine_file(tmp_path / action / "records.jsonl", tmp_path / "again", config)
        assert again.kept == again.records == 9
        assert _read(tmp_path / "again")[0] == _read(tmp_path / action)[0]
    assert len(_read(tmp_path / "again")[0][-1].positives) == 2


def test_an_equal_text_or_the_same_passage_never_counts_against(
    source: Path, tmp_path: Path, words: Words
) -> None:
    """Nor does another record's answer to the same question."""
    assert words
    query = "otters badgers herons beavers live on?"
    one, two = (
        make_record(family="f", task="t", language="en", query=query, positives=(_passage(n),))
        for n in (1, 2)
    )
    source.write_text("".join(to_json(record) + "\n" for record in (one, two)))
    with (tmp_path / "corpus.jsonl").open("a") as file:
        file.write(json.dumps({"_id": "same", "text": _passage(1).upper()}) + "\n")
    refine_file(source, tmp_path / "out", _config(source, top_k=4, max_behind=None))
    rows = _decisions(tmp_path / "out")
    assert [row["positives"][0]["rank"] for row in rows] == [0, 0]


def _judges(script: Callable[[Prompt], str], opened: list[ScriptedLLM]) -> object:
    def open_model(_: JudgeConfig, __: Path) -> ScriptedLLM:
        opened.append(ScriptedLLM(script))
        return opened[-1]

    return open_model


def _grader(prompt: Prompt) -> str:
    """3 where the text is about the animal of the query; the weak model says 2 to everything."""
    asked = prompt.messages[-1].content
    animal = next(name for name in ANIMALS if f"what do {name} live" in asked)
    texts = asked.partition("Text")[2]
    grade = 2 if prompt.model == "weak" else 3 if animal in texts else 0
    return json.dumps({"grade": grade})


def test_judges_grade_once_and_relabel(source: Path, tmp_path: Path, words: Words) -> None:
    """The strong one where the weak one would change a record; a better passage is found."""
    assert words
    opened: list[ScriptedLLM] = []
    judge = {"model": "weak", "backend": "scripted", "on": "all", "candidates": 3, "again": 1,
             "strong": {"model": "strong"}}  # fmt: skip
    config = _config(source, judge=judge, positives="relabel", negatives="relabel")
    open_model = _judges(_grader, opened)
    refined = refine_file(source, tmp_path / "out", config, open_model=open_model)  # type: ignore[arg-type]
    kept, lost = _read(tmp_path / "out")
    assert not lost
    assert kept[8].positives[0].text == _passage(8)
    assert {score.teacher for score in kept[8].positives[0].scores} == {
        "words",
        "llm:weak",
        "llm:strong",
    }
    assert [positive.text for positive in kept[9].positives[1:]] == [
        negative.text for negative in _records()[9].negatives[:1]
    ]
    assert refined.agreement["judge with itself"]["equal"] == 1
    assert refined.spent["strong"]["answers"] > 0
    asked = len(opened[0].asked)
    refine_file(source, tmp_path / "out", config, open_model=open_model)  # type: ignore[arg-type]
    assert asked > 0
    assert not opened[1].asked  # every answer came from the journal


def test_a_file_without_records_is_refused(tmp_path: Path) -> None:
    """With what to type."""
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(InputError, match="no records"):
        refine_file(empty, tmp_path / "out", load_config())


def test_a_stage_of_a_run(finished: Path, trine: Trine, words: Words) -> None:
    """Its rejections join the others, its count the yields; again it does nothing."""
    assert words
    before = (finished / "records.jsonl").read_text().splitlines()
    rejected = (finished / "rejected.jsonl").read_text().splitlines()
    ended = trine("refine", finished, "--set", "refine.top_k=1", "-q")
    assert ended.code == 0, ended.err
    kept = (finished / "records.jsonl").read_text().splitlines()
    lost = (finished / "rejected.jsonl").read_text().splitlines()
    assert 0 < len(kept) < len(before)
    assert len(kept) + len(lost) == len(before) + len(rejected)
    stats = json.loads((finished / "stats.json").read_text())
    assert stats["records"] == len(kept)
    assert sum(stats["rejections"]["refine"]["positive_not_found"].values()) <= len(lost)
    assert "consistent" in [row["step"] for row in stats["yield"]]
    shown = trine("show", finished, "--reason", "positive_not_found", "-n", "1")
    assert "refine: positive_not_found" in shown.out
    encoded = words.encoded
    assert trine("run", "-c", finished.parent / "recipe.yaml", "-q").code == 0
    assert len((finished / "records.jsonl").read_text().splitlines()) == len(before)
    assert trine("refine", finished, "--set", "refine.top_k=1", "-q").code == 0
    assert (finished / "records.jsonl").read_text().splitlines() == kept
    assert (finished / "rejected.jsonl").read_text().splitlines() == lost
    assert words.encoded == encoded


def test_what_an_earlier_stage_dropped_stays_out(
    finished: Path, trine: Trine, words: Words
) -> None:
    """A capped run is refined from what the cap left, not from what deduplication did."""
    assert words
    recipe = finished.parent / "recipe.yaml"
    capped = ("--set", "caps={family: 2}", "--set", "refine={encoder: words}")
    assert trine("run", "-c", recipe, *capped, "-q").code == 0
    records = [json.loads(line) for line in (finished / "records.jsonl").read_text().splitlines()]
    rejected = (finished / "rejected.jsonl").read_text()
    assert '"over_cap"' in rejected
    assert 0 < len(records) <= 2 * len({record["family"] for record in records})


def test_a_users_file_needs_a_place_of_its_own(source: Path, trine: Trine, words: Words) -> None:
    """And says what it did."""
    assert words
    missing = trine("refine", source)
    assert missing.code == 2
    assert f"hint: trine refine {source} -o FOLDER" in missing.err
    assert trine("refine", source, "-o", source.parent).code == 2
    done = trine("refine", source, "-o", source.parent / "out", "--json", "-q")
    assert json.loads(done.out)["records"] == 10
