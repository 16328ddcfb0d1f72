"""The records: content ids, and JSON that is read back as it was written."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from generator.records import (
    Draw,
    Message,
    Negative,
    Params,
    Positive,
    Prompt,
    Provenance,
    Record,
    Rejected,
    Score,
    Task,
    content_id,
    draw_to_json,
    draw_values,
    from_json,
    make_record,
    to_json,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MAYBE = st.none() | TEXT
SCORES = st.lists(
    st.builds(Score, TEXT, st.floats(allow_nan=False, allow_infinity=False)), max_size=2
).map(tuple)
RECORDS = st.builds(
    Record,
    id=TEXT,
    family=TEXT,
    task=TEXT,
    language=TEXT,
    symmetric=st.booleans(),
    label=MAYBE,
    in_batch=st.sampled_from(["all", "same_task", "none"]),
    query=TEXT,
    positives=st.lists(st.builds(Positive, TEXT, TEXT, SCORES), max_size=2).map(tuple),
    negatives=st.lists(
        st.builds(Negative, TEXT, TEXT, st.sampled_from(["llm", "bm25", "human"]), SCORES),
        max_size=2,
    ).map(tuple),
    provenance=st.builds(
        Provenance,
        MAYBE,
        st.lists(TEXT, max_size=2).map(tuple),
        MAYBE,
        st.none() | st.integers(0, 2**63 - 1),
        st.lists(TEXT, max_size=2).map(tuple),
        MAYBE,
        MAYBE,
    ),
)
PROMPT = Prompt("m", "d", "s", 0, (Message("user", "hello"),), Params(), "{}")


@given(RECORDS)
def test_a_record_is_read_back_as_it_was_written(record: Record) -> None:
    """`from_json` inverts `to_json`, and the JSON is one line."""
    line = to_json(record)
    assert "\n" not in line
    assert from_json(Record, line) == record
    assert from_json(Record, line.encode()) == record


@given(
    st.builds(
        Rejected,
        *[TEXT] * 6,
        text=MAYBE,
        record=st.none() | RECORDS,
        partner=MAYBE,
        score=st.none() | st.floats(0, 1),
    )
)
def test_a_rejection_is_read_back_as_it_was_written(rejected: Rejected) -> None:
    """Also with a whole record inside."""
    assert from_json(Rejected, to_json(rejected)) == rejected


@given(st.builds(Task, *[TEXT] * 5))
def test_a_task_is_read_back_as_it_was_written(task: Task) -> None:
    """All of its fields are texts."""
    assert from_json(Task, to_json(task)) == task


@pytest.mark.parametrize("line", ["", "{}", "null", "[]", "{", "[" * 5000, b"\xff", '{"id": 1}'])
def test_any_other_text_is_refused(line: str | bytes) -> None:
    """With pydantic's error and no other, however broken the text is."""
    with pytest.raises(ValidationError):
        from_json(Record, line)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "null"])
def test_a_score_that_is_no_number_is_refused(value: str) -> None:
    """It would be written as null, and the file could not be read again."""
    positives = (Positive("p", "p", (Score("teacher", 0.5),)),)
    record = make_record(family="f", task="t", language="en", query="q", positives=("p",))
    line = to_json(replace(record, positives=positives))
    assert from_json(Record, line).positives == positives
    with pytest.raises(ValidationError, match="number"):
        from_json(Record, line.replace('"value":0.5', f'"value":{value}'))


def test_content_ids_know_order_and_boundaries() -> None:
    """Parts that join to the same text differ; so do orders and empty parts."""
    lists = [("ab",), ("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"), (), ("",), ("", "")]
    assert len({content_id(*parts) for parts in lists}) == len(lists)
    assert content_id("a", "b") == content_id("a", "b")
    assert len(content_id("x")) == 32


def test_content_ids_are_those_of_earlier_versions() -> None:
    """Published records are found by them: the function may not change."""
    assert content_id() == "cae66941d9efbd404e4d88758ea67670"
    assert content_id("日本語", "b") == "bcf4b7f591d34431326c71faac49caec"


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_two_lists_of_parts_share_an_id_only_when_equal(a: list[str], b: list[str]) -> None:
    """Whatever the texts hold, lone surrogates too."""
    assert (content_id(*a) == content_id(*b)) == (a == b)


def test_the_id_of_a_record_does_not_depend_on_its_negatives() -> None:
    """Mining keeps the id; query, task, family and positives change it."""
    base = make_record(family="f", task="t", language="en", query="q", positives=("p", "p2"))
    mined = make_record(
        family="f",
        task="t",
        language="en",
        query="q",
        positives=("p", "p2"),
        negatives=("n",),
        negative_source="bm25",
    )
    others = [
        make_record(family="g", task="t", language="en", query="q", positives=("p", "p2")),
        make_record(family="f", task="u", language="en", query="q", positives=("p", "p2")),
        make_record(family="f", task="t", language="en", query="r", positives=("p", "p2")),
        make_record(family="f", task="t", language="en", query="q", positives=("p2", "p")),
        make_record(family="f", task="t", language="en", query="qp", positives=("p2",)),
    ]
    assert mined.id == base.id
    assert mined.negatives == (Negative(content_id("n"), "n", "bm25"),)
    assert len({base.id, *(other.id for other in others)}) == 6


def test_records_do_not_change() -> None:
    """All records are frozen."""
    with pytest.raises(FrozenInstanceError):
        PROMPT.model = "other"  # type: ignore[misc]


def test_a_request_key_covers_all_that_decides_the_answer() -> None:
    """Each part changes the key; the template's hash does not."""
    changed = [
        replace(PROMPT, model="n"),
        replace(PROMPT, draw="e"),
        replace(PROMPT, step="t"),
        replace(PROMPT, attempt=1),
        replace(PROMPT, messages=(Message("system", "hello"),)),
        replace(PROMPT, messages=(Message("user", "hello"), Message("user", ""))),
        replace(PROMPT, params=Params(temperature=0.5)),
        replace(PROMPT, params=Params(seed=1)),
        replace(PROMPT, schema="[]"),
    ]
    assert len({PROMPT.key, *(prompt.key for prompt in changed)}) == 10
    assert replace(PROMPT, template="x").key == PROMPT.key


def test_a_draw_is_written_sorted_and_its_values_are_read_back() -> None:
    """The order of the axes does not show; an imported pair has no values."""
    draw = Draw("f", 1, "single", "ja", 7, values={"b": "2", "a": "日"})
    same = replace(draw, values={"a": "日", "b": "2"})
    assert draw_to_json(draw) == draw_to_json(same)
    assert "日" in draw_to_json(draw)
    record = make_record(
        family="f",
        task="t",
        language="ja",
        query="q",
        positives=("p",),
        provenance=Provenance(draw=draw_to_json(draw)),
    )
    assert draw_values(record) == {"a": "日", "b": "2"}
    assert json.loads(to_json(record))["provenance"]["draw"] == draw_to_json(draw)
    assert draw_values(replace(record, provenance=Provenance())) == {}


def test_a_draw_has_a_readable_id() -> None:
    """A brainstorming call is told from an example."""
    draw = Draw("sts", 2, "single", "en-ja", 7)
    assert draw.id == "sts@2/single/en-ja#7"
    assert replace(draw, kind="brainstorm").id == "sts@2/single/en-ja#b7"


def test_a_pair_has_a_language_on_each_side() -> None:
    """One code stands for both sides where there is no pair."""
    record = make_record(family="f", task="", language="de-ja", query="q", positives=("p",))
    assert (record.query_language, record.text_language) == ("de", "ja")
    record = replace(record, language="no")
    assert (record.query_language, record.text_language) == ("no", "no")
