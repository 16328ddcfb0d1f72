"""What of a test split is searched for, in which passages, and which of them are right."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from generator.corpus.store import Passage, line_of
from generator.heldout import HeldOut, held_out
from generator.records import Provenance, Record, make_record, to_json

BEES = "A queen lays up to two thousand eggs a day in May."
SENTENCE = "The entrance of a hive faces south-east, so that bees begin early."
JAPANESE = "巣箱は日当たりのよい場所に置き、冬の北風を避けるように林の南側を選ぶとよい。"


def document(name: str, text: str, *path: str) -> Passage:
    return Passage(name, text, path, "en", "bees.md", " > ".join(path))


def written_from(passage: str, query: str, *positives: str, **keys: Any) -> Record:
    own = Provenance(passage=passage, draw="{}", requests=keys.pop("requests", ()))
    return make_record(
        family="f", task="find", language="en", query=query, positives=positives, provenance=own,
        **keys,
    )  # fmt: skip


def held(
    folder: Path, test: Sequence[Record], rest: Iterable[Record], documents: Iterable[Passage]
) -> HeldOut:
    for name, records in (("test", test), ("records", [*test, *rest])):
        lines = "".join(f"{to_json(record)}\n" for record in records)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    corpus = folder / "passages.jsonl"
    corpus.write_text("".join(f"{line_of(one)}\n" for one in documents), encoding="utf-8")
    return held_out(folder / "test.jsonl", folder / "records.jsonl", corpus)


def right(found: HeldOut, record: Record) -> set[str]:
    return set(found.task.qrels[record.id])


def test_a_text_to_be_labelled_is_no_search(tmp_path: Path) -> None:
    """Its label is found among labels, not among passages; those of others it may still crowd."""
    question = make_record(
        family="short-long", task="find", language="en", query="what is a pier",
        positives=("A pier is a walk over water.",),
    )  # fmt: skip
    post = make_record(
        family="long-short", task="classify", language="en", query="my pier has rotted away",
        positives=("boats",), negatives=("bread",), in_batch="none",
    )  # fmt: skip
    found = held(tmp_path, [post, question], [], [])
    assert [query.text for query in found.task.queries] == ["what is a pier"]
    assert ([record.task for record in found.records], found.shown) == (["find"], (0,))
    assert {passage.text for passage in found.task.passages} == {
        "A pier is a walk over water.", "boats", "bread",
    }  # fmt: skip
    assert right(found, question) == {question.positives[0].id}
    assert held(tmp_path, [post], [question], []).task.queries == ()


def test_a_passage_is_searched_once_as_users_search_it(tmp_path: Path) -> None:
    """Whatever form of it each record trains on, mined negatives too; that one is right."""
    passage = document("a", f"{SENTENCE} {BEES}", "Bees", "Hives")
    other = document("b", "Honey is taken out in June.", "Honey")
    sentence = written_from("a", SENTENCE, f"Bees > Hives  {BEES}", negatives=(other.text,))
    rest = [
        written_from("a", BEES, f"Bees > Hives {SENTENCE}"),
        written_from("a", "Bees: Hives", passage.text),
        written_from("a", "where is a hive's door?", passage.full, requests=("r",)),
        written_from("b", "when is honey taken?", other.full, requests=("r",)),
    ]
    found = held(tmp_path, [sentence], rest, [passage, other, document("c", "Not asked for.")])
    assert [text.full for text in found.task.passages] == [passage.full, other.full]
    assert right(found, sentence) == {"a"}


def test_whoever_holds_the_sentence_whole_is_right(tmp_path: Path) -> None:
    """Neighbours overlap, and lines break in other places; a common word says nothing."""
    documents = [
        document("a", f"{BEES} {SENTENCE}"),
        document("b", SENTENCE.replace(", so", ", so\n") + " Wasps differ."),
        document("c", "The entrance of a hive faces east."),
        document("d", JAPANESE + "夏は別である。"),
        document("e", "春は早い。" + JAPANESE.replace("、", "、\n")),
    ]
    rest = [written_from(one.id, f"about {one.id}?", one.full) for one in documents]
    english = written_from("a", SENTENCE, BEES)
    japanese = written_from("d", JAPANESE, "夏は別である。")
    word = written_from("a", "hive", documents[0].full, requests=("r",))
    marks = written_from("a", "?!", documents[0].full, requests=("r",))
    found = held(tmp_path, [english, japanese, word, marks], rest, documents)
    assert right(found, english) == {"a", "b"}
    assert right(found, japanese) == {"d", "e"}
    assert right(found, word) == right(found, marks) == {"a"}


def test_all_parts_of_a_section_are_right_for_its_heading(tmp_path: Path) -> None:
    documents = [
        document("a", BEES, "Bees", "Queens"),
        document("b", "They live for years.", "Bees", "Queens"),
        document("c", SENTENCE, "Bees", "Queens", "Hives"),
        document("d", "Queens and kings.", "Chess"),
    ]
    rest = [written_from(one.id, f"about {one.id}?", one.full) for one in documents]
    heading = written_from("a", "Bees: Queens", BEES)
    assert right(held(tmp_path, [heading], rest, documents), heading) == {"a", "b"}


def test_a_query_for_two_passages_asks_for_both(tmp_path: Path) -> None:
    documents = [document("a", BEES, "Bees"), document("b", SENTENCE, "Bees")]
    both = written_from("a+b", "who lays eggs where?", *(one.full for one in documents))
    found = held(tmp_path, [both], [], documents)
    assert len(found.task.passages) == 2
    assert right(found, both) == {"a", "b"}


def test_passages_that_are_gone_leave_the_records_own_texts(tmp_path: Path) -> None:
    """A record of another corpus, and a run without one."""
    record = written_from("gone", "who lays eggs?", BEES, negatives=(SENTENCE,))
    for documents in ([document("a", JAPANESE)], []):
        found = held(tmp_path, [record], [], documents)
        assert {passage.text for passage in found.task.passages} == {BEES, SENTENCE}
        assert right(found, record) == {record.positives[0].id}
    (tmp_path / "passages.jsonl").unlink()
    again = held_out(*(tmp_path / f"{n}.jsonl" for n in ("test", "records", "passages")))
    assert again.task.qrels == found.task.qrels


def test_passages_are_as_many_as_can_be_encoded(tmp_path: Path, monkeypatch: Any) -> None:
    """What the questions ask for comes first, and is never left out."""
    monkeypatch.setattr("generator.heldout.MOST_PASSAGES", 3)
    documents = [document(str(n), f"Text {n} of the book.") for n in range(9)]
    make: Callable[[Passage], Record] = lambda one: written_from(one.id, "which?", one.full)  # noqa: E731
    records = [make(one) for one in documents]
    found = held(tmp_path, records[7:], records[:7], documents)
    assert [passage.id for passage in found.task.passages] == ["7", "8", "0"]
    assert json.loads(line_of(documents[0]))["_id"] == "0"
