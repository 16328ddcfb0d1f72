"""What of a test split is searched for."""

from __future__ import annotations

from pathlib import Path

from generator.heldout import held_out
from generator.records import make_record, to_json


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
    for name in ("test.jsonl", "records.jsonl"):
        (tmp_path / name).write_text(f"{to_json(post)}\n{to_json(question)}\n")
    held = held_out(tmp_path / "test.jsonl", tmp_path / "records.jsonl")
    assert [query.text for query in held.task.queries] == ["what is a pier"]
    assert (held.instructions, held.shown) == (("find",), (0,))
    assert {passage.text for passage in held.task.passages} == {
        "A pier is a walk over water.", "boats", "bread",
    }  # fmt: skip
    post_only = tmp_path / "other.jsonl"
    post_only.write_text(f"{to_json(post)}\n")
    assert held_out(post_only, tmp_path / "records.jsonl").task.queries == ()
