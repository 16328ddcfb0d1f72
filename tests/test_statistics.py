"""Statistics: the numbers of a run, counted by hand."""

from __future__ import annotations

import json
from typing import Any

from generator.dataset.diversity import Sample, distinct, tokens
from generator.records import Record, Rejected, make_record
from generator.statistics import statistics


def record(query: str, **fields: Any) -> Record:
    return make_record(
        **{
            "family": "short-long",
            "task": "Find it.",
            "language": "en",
            "query": query,
            "positives": ("yes, here",),
            **fields,
        }
    )


def rejected(stage: str, reason: str, family: str = "short-long") -> Rejected:
    return Rejected(stage, reason, family, "en")


RECORDS = [
    record("where is it", negatives=("no", "never")),
    record("where is it", task="Find another."),
    record("東京はどこ", language="ja", family="sts", negatives=("いいえ",)),
]
LOST = [
    rejected("llm", "refused"),
    rejected("parse", "no_json_object"),
    rejected("parse", "no_json_object", "sts"),
    rejected("filter", "query_too_short"),
    rejected("dedupe", "near_duplicate"),
    rejected("dedupe", "near_duplicate"),
]


def test_the_yield_table_counts_down_to_what_was_kept() -> None:
    """Each step is what is left after its stage's rejections."""
    table = statistics(RECORDS, LOST)["yield"]
    assert [(row["step"], row["count"]) for row in table] == [
        ("drawn", 9),
        ("answered", 8),
        ("parsed", 6),
        ("valid", 5),
        ("unique", 3),
        ("kept", 3),
    ]
    assert table[2]["families"] == {"short-long": 5, "sts": 1}
    assert table[-1]["share"] == 0.3333


def test_a_lost_brainstorming_call_is_no_answer() -> None:
    """Draws that had no task description count as unanswered, before all later steps."""
    table = statistics(RECORDS, [rejected("brainstorm", "no_tasks"), *LOST])["yield"]
    assert [(row["step"], row["count"]) for row in table[:3]] == [
        ("drawn", 10),
        ("answered", 8),
        ("parsed", 6),
    ]


def test_a_stage_that_nobody_foresaw_is_in_the_table() -> None:
    """Nothing disappears: later stages and unknown ones get a row."""
    table = statistics(RECORDS, [rejected("refine", "false_negative"), rejected("blend", "x")])
    steps = [(row["step"], row["count"]) for row in table["yield"]]
    assert steps[-3:] == [("consistent", 4), ("after blend", 3), ("kept", 3)]


def test_rejections_are_counted_by_stage_reason_and_family() -> None:
    """Stage, then reason, then family."""
    assert statistics(RECORDS, LOST)["rejections"] == {
        "dedupe": {"near_duplicate": {"short-long": 2}},
        "filter": {"query_too_short": {"short-long": 1}},
        "llm": {"refused": {"short-long": 1}},
        "parse": {"no_json_object": {"short-long": 1, "sts": 1}},
    }


def test_counts_of_the_kept_records() -> None:
    """Families, languages, unique texts and negatives."""
    found = statistics(RECORDS)
    assert found["records"] == 3
    assert found["families"] == {"short-long": 2, "sts": 1}
    assert found["languages"] == {"en": 2, "ja": 1}
    assert found["family_languages"] == {"short-long": {"en": 2}, "sts": {"ja": 1}}
    assert found["unique"] == {"instructions": 2, "queries": 2}
    assert found["negatives"] == {
        "mean": 1.0,
        "counts": {"0": 1, "1": 1, "2": 1},
        "sources": {"llm": 3},
    }


def test_length_quantiles_are_exact() -> None:
    """Nearest rank over the lengths 1 to 100."""
    found = statistics([record("x" * n, family=str(n)) for n in range(1, 101)])
    assert found["chars"]["query"] == {
        "p05": 5,
        "p25": 25,
        "p50": 50,
        "p75": 75,
        "p95": 95,
        "max": 100,
        "mean": 50.5,
    }
    assert found["chars"]["positive"]["p50"] == len("yes, here")


def test_units_are_words_or_characters_by_script() -> None:
    """Japanese and Chinese count by character, also within an English text."""
    assert tokens("Where is Tōkyō?") == ["where", "is", "tōkyō"]
    assert tokens("東京タワー") == ["東", "京", "タ", "ワ", "ー"]
    assert tokens("the word 猫です") == ["the", "word", "猫", "で", "す"]


def test_distinct_n_by_hand() -> None:
    """Five different words of six, three different bigrams of four."""
    sample = Sample(10)
    for place, text in enumerate(("a b c", "a b d")):
        sample.add(str(place), text)
    assert distinct(sample, 1) == round(4 / 6, 4)
    assert distinct(sample, 2) == round(3 / 4, 4)
    assert distinct(Sample(10), 2) is None


def test_the_sample_does_not_depend_on_order() -> None:
    """The same texts, in the same order, whichever came first."""
    one, other = Sample(5), Sample(5)
    for number in range(50):
        one.add(str(number), f"text {number}")
        other.add(str(49 - number), f"text {49 - number}")
    assert list(one) == list(other)
    assert len(one) == 5


def test_usage_is_passed_on_with_totals_per_record() -> None:
    """Tokens and price per record kept, where they are known."""
    usage = {"requests": 5, "prompt_tokens": 600, "completion_tokens": 300, "cost_usd": 0.03}
    assert statistics(RECORDS, usage=usage)["usage"] == {
        **usage,
        "tokens_per_record": 300.0,
        "cost_usd_per_1000_records": 10.0,
    }
    assert statistics(RECORDS)["usage"] == {}


def test_statistics_of_nothing_are_json() -> None:
    """No records is not an error, and the dict is JSON."""
    found = statistics([])
    assert json.loads(json.dumps(found)) == found
    assert [row["count"] for row in found["yield"]] == [0] * 6
    assert found["chars"] == {}
