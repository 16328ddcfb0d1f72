"""Rules for queries that are written from passages: off_passage, points_at_text, vague."""

from __future__ import annotations

import pytest

from generator.filters import apply, compile_rules
from generator.records import make_record

ENGLISH = (
    "Honey bee > Colony A strong colony can hold up to 60,000 bees in summer. See Listing 4-2."
)
JAPANESE = "養蜂 > 巣箱 巣箱は日当たりのよい場所に置き、ミツバチが2024年の冬を越せるようにする。"


def reason(rule: str, query: str, text: str = ENGLISH, language: str = "en") -> str | None:
    """Why the rule rejects a query of this passage; None where it keeps it."""
    record = make_record(family="f", task="t", language=language, query=query, positives=(text,))
    found = apply(compile_rules({rule: {}}), record)
    return found.reason if found else None


@pytest.mark.parametrize(
    ("query", "is_off"),
    [
        ("How many bees can a strong colony hold?", False),
        ("How large is a colony of bees in 60,000 hives?", False),
        ("How did beekeepers of Bavaria pay their taxes?", True),
        ("How many bees did a strong colony hold in 1933?", True),
    ],
)
def test_a_query_keeps_to_its_passage(query: str, is_off: bool) -> None:
    """By half of its content words, and by its numbers."""
    assert (reason("off_passage", query) == "query_off_passage") == is_off


def test_a_query_in_japanese_keeps_to_its_passage() -> None:
    """By pairs of Han characters, runs of katakana and numbers; full-width ones are the same."""
    assert reason("off_passage", "巣箱の場所とミツバチの冬", JAPANESE, "ja") is None
    assert reason("off_passage", "２０２４年のミツバチの巣箱", JAPANESE, "ja") is None
    assert reason("off_passage", "株式市場のインフレ率は", JAPANESE, "ja") == "query_off_passage"
    assert reason("off_passage", "2019年のミツバチの巣箱", JAPANESE, "ja") == "query_off_passage"
    assert reason("off_passage", "wholly unlike words", JAPANESE, "en-ja") is None
    dated = "何月に巣箱を何人が置く人気行事は何行事"  # what asks or counts is part of no word
    assert reason("off_passage", dated, JAPANESE, "ja") is None
    letters = "USBメモリーの容量"  # the passage has the letters alone
    assert reason("off_passage", letters, f"{JAPANESE}記録はUSBで渡す。", "ja") is None
    assert reason("off_passage", letters, JAPANESE, "ja") == "query_off_passage"
    assert reason("off_passage", "Mehiläisten talvehtiminen Lapissa", ENGLISH, "fi") is None


def test_what_a_question_says_of_its_answer_need_not_be_in_the_passage() -> None:
    """Nor is one short word enough to say that the passage is another."""
    assert reason("off_passage", "飛ぶ虫の名前をカタカナで", JAPANESE, "ja") is None
    assert reason("off_passage", "経済の名前をカタカナで", JAPANESE, "ja") is None
    assert (
        reason("off_passage", "経済政策の名前をカタカナで", JAPANESE, "ja") == "query_off_passage"
    )


def test_numbers_of_a_query_are_the_passages_in_any_writing() -> None:
    """With separators of thousands or without; a decade is no number of its own."""
    assert reason("off_passage", "Can a strong colony hold 60000 bees?") is None
    hives = f"{JAPANESE}巣箱は1500個、始まりは1993年。"
    assert reason("off_passage", "1,500個のミツバチの巣箱", hives, "ja") is None
    assert reason("off_passage", "1990年代のミツバチの巣箱", hives, "ja") is None
    assert reason("off_passage", "2,600個のミツバチの巣箱", hives, "ja") == "query_off_passage"


def test_the_body_of_a_document_that_the_query_names_is_not_its_passage() -> None:
    """As in "the text of the law"; alone it is the passage, in Japanese and in Chinese."""
    assert reason("points_at_text", "養蜂法の本文とそれに付く別表は", JAPANESE, "ja") is None
    assert reason("points_at_text", "本文によると巣箱はどこに置く", JAPANESE, "ja") is not None
    assert reason("points_at_text", "根据本文，蜂箱放在哪里", "蜂箱放在哪里", "zh") is not None


@pytest.mark.parametrize(
    ("query", "points"),
    [
        ("According to the passage, how many bees are there?", True),
        ("What does Listing 4-2 show of a colony?", True),
        ("What did the previous chapter say of bees?", True),
        ("リスト4-2では何が起こるか", True),
        ("この章で学ぶことは何か", True),
        ("How do I list four bees?", False),
        ("図書館の本は何冊か", False),
    ],
)
def test_a_query_points_at_no_text(query: str, points: bool) -> None:
    """Who searches has never seen the text, its listings or its chapters."""
    found = reason("points_at_text", query, JAPANESE, "ja" if not query.isascii() else "en")
    assert (found == "query_points_at_text") == points


@pytest.mark.parametrize(
    ("query", "points"),
    [("Honey bee > Colony size", True), ("honey bee > colony", True), ("wasps > bees", False)],
)
def test_a_query_is_no_title_path(query: str, points: bool) -> None:
    """Titles in a row are how trine frames a passage; nobody types them so."""
    assert (reason("points_at_text", query) == "query_points_at_text") == points


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("How does it work?", "query_vague"),
        ("What is a summary?", "query_vague"),
        ("How does it compile the Rust project?", "query_vague"),
        ("Is it possible to keep two colonies in one hive?", None),
        ("What does it mean to borrow a value?", None),
        ("How many bees does a colony hold?", None),
    ],
)
def test_a_query_says_what_it_is_about(query: str, expected: str | None) -> None:
    """A subject and two content words; other languages pass."""
    assert reason("vague", query) == expected
    assert reason("vague", query, JAPANESE, "de") is None
