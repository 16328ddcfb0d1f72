"""The rules for texts that are written from drawn subjects: a drop and its kept neighbour each."""

import json

import pytest

from generator.content import content_words, coverage, is_same
from generator.filters import Reject, apply, compile_rules
from generator.records import Provenance, Record, make_record

SUBJECT = "gardening | growing tomatoes | pruning roses"


def drawn(query: str, positive: str = "x", language: str = "en", **values: str) -> Record:
    """A record of a draw with these axis values."""
    return make_record(
        family="f",
        task="t",
        language=language,
        query=query,
        positives=(positive,),
        provenance=Provenance(draw=json.dumps({"values": values})),
    )


def verdict(record: Record, **spec: object) -> Reject | None:
    """What one rule says."""
    return apply(compile_rules({name: dict(v) for name, v in spec.items()}), record)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("How do I grow tomatoes on a balcony?", None),
        ("How do I grow lettuce?", None),  # half of the words are there
        ("How do I prune my roses?", "query_off_subject"),
    ],
)
def test_a_text_must_be_about_its_subject(query: str, reason: str | None) -> None:
    """Half of the subject's words are enough at a share of 0.5, none are not."""
    spec = {"axis": "subject", "parts": {"query": 1}, "min_share": 0.5}
    found = verdict(drawn(query, subject=SUBJECT), off_subject=spec)
    assert (found and found.reason) == reason


def test_each_side_has_its_own_part() -> None:
    """The positive is held to its own part of the value."""
    spec = {"axis": "subject", "parts": {"query": 1, "positive": 2}}
    kept = drawn("tomatoes to grow", "Prune the roses in spring.", subject=SUBJECT)
    strayed = drawn("tomatoes to grow", "Grow tomatoes in spring.", subject=SUBJECT)
    assert verdict(kept, off_subject=spec) is None
    found = verdict(strayed, off_subject=spec)
    assert found is not None
    assert found.reason == "positive_off_subject"


def test_other_languages_and_imported_pairs_pass() -> None:
    """No rule judges what it cannot read, nor a record without the axis."""
    spec = {"axis": "subject", "parts": {"query": 1}}
    assert verdict(drawn("バラの剪定", language="ja", subject=SUBJECT), off_subject=spec) is None
    assert verdict(drawn("anything"), off_subject=spec) is None
    assert verdict(drawn("anything"), query_strays={"axis": "subject"}) is None
    repeated = drawn("庭庭庭 庭庭庭 庭庭庭 庭庭庭 庭庭庭 庭庭庭", language="ja")
    assert verdict(repeated, says_little={"min_distinct": 1.0}) is None


@pytest.mark.parametrize(
    ("query", "strays"),
    [
        ("what is a compass used for", False),
        ("can someone explain the purpose of a compass", False),
        ("what is the best compass for sailors", True),
        ("compass compass", True),
        ("how is a compass used", True),
    ],
)
def test_a_query_may_not_ask_for_more(query: str, strays: bool) -> None:
    """A foreign content word, a word twice or a forbidden shape rejects it."""
    spec = {
        "axis": "subject",
        "harmless": "use used purpose explain",
        "forbidden": ["^how "],
    }
    found = verdict(drawn(query, subject="what a compass is used for | x"), query_strays=spec)
    assert (found is not None) == strays


def test_circular_texts_say_little() -> None:
    """The share of different content words decides, below the length up to which it is judged."""
    circular = "A database stores data. The data of a database is data that a database stores."
    plain = "A database keeps tables of customers, orders and prices, and answers questions fast."
    spec = {"min_distinct": 0.62}
    assert verdict(drawn("q", plain), says_little=spec) is None
    found = verdict(drawn("q", circular), says_little=spec)
    assert found is not None
    assert found.reason == "positive_says_little"
    assert verdict(drawn("q", circular), says_little={**spec, "max_words": 5}) is None


def test_a_stutter_says_little() -> None:
    """A word repeated at once; "had had" and far repeats are kept."""
    assert verdict(drawn("q", "It treats injuries and injuries."), says_little={}) is not None
    assert verdict(drawn("q", "It treats injuries and illnesses."), says_little={}) is None


def test_a_query_begins_as_it_was_told() -> None:
    """Case, punctuation and a short "I'm" do not matter; other words do."""
    spec = {"axis": "first_words"}
    opening = "I am having trouble with"
    assert (
        verdict(drawn("I'm having trouble with bees.", first_words=opening), opening=spec) is None
    )
    found = verdict(drawn("I have trouble with bees.", first_words=opening), opening=spec)
    assert found is not None
    assert found.reason == "query_ignores_opening"


def test_content_words_are_stems_without_grammar() -> None:
    """Inflections are one word; unrelated words with a common start are two."""
    assert content_words("How do I grow the tomatoes?") == content_words("growing tomato")
    assert coverage("growing tomatoes", "a tomato grows") == 1.0
    assert not is_same("car", "carpet")
