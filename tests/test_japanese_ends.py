"""How texts of Japanese end: what is whole, what is a note, what breaks off; and their queries."""

from __future__ import annotations

import pytest
from passages import DOCUMENT_JA, OTHER_JA

from generator.filters import apply, compile_rules
from generator.filters.japanese_ends import ends_in_noun, is_caption, is_open_query, is_whole
from generator.records import make_record


def reason(rule: str, query: str, positive: str = DOCUMENT_JA) -> str | None:
    """Why the rule rejects a record of these; None where it keeps it."""
    item = make_record(
        family="f",
        task="",
        language="ja",
        query=query,
        positives=(positive,),
        negatives=(OTHER_JA,),
    )
    reject = apply(compile_rules({rule: {}}), item)
    return None if reject is None else reject.reason


@pytest.mark.parametrize(
    "end",
    [
        "多くの市民が参加した",
        "雪像は夜も明るい",
        "観光客の数は年々増えているだろう",
        "詳しくは市の案内を参照してください",
        "会場は今年も変わりませんでした",
        "市民の団体が実行委員会を設立",
        "同年に初代の会長に就任",
        "会場は大通公園など",
        "参加者はおよそ200万人",
        "最後に行われたのは1998年",
        "英語の題は Snow Festival of Sapporo",
    ],
)
def test_a_text_without_its_last_stop_is_whole(end: str) -> None:
    """It ends in a predicate, or as notes do; the same with stops of either style."""
    assert is_whole(end)
    assert reason("unfinished", "雪まつりの始まりは", f"{DOCUMENT_JA}{end}……") is None
    assert reason("unfinished", "雪まつりの始まりは", f"{DOCUMENT_JA}{end}") is None


@pytest.mark.parametrize(
    "end",
    [
        "多くの市民が",
        "雪像は夜も明るく",
        "さらに、市民の",
        "会場は大通公園の周",
        "参加者について",
        "また",
        "この祭りのよう",
        "一般にひとつ",
    ],
)
def test_a_text_that_ends_within_a_sentence_breaks_off(end: str) -> None:
    """In a particle, within a word, or in one that asks for another."""
    assert not is_whole(end)
    assert reason("unfinished", "雪まつりの始まりは", DOCUMENT_JA + end) == "positive_unfinished"


def test_full_width_full_stops_end_a_text() -> None:
    """Papers are written with ， and ．; a sentence of such a text can be copied, too."""
    papers = DOCUMENT_JA.replace("。", "．").replace("、", "，")
    assert reason("unfinished", "雪まつりの始まりは", papers) is None
    copied = papers.split("．")[1]
    assert reason("query_copied", f"{copied}．", papers) == "query_in_positive"
    assert reason("query_copied", f"誰が作ったのですか？{copied}．", papers) == "answer_in_query"


def test_captions_need_no_stop() -> None:
    """As the cells of a table; a particle at the end, or a sentence before it, needs one."""
    caption = "冬の夜に大通公園の会場で子どもたちが見上げる大きな雪像と明かり"
    assert is_caption(caption)
    assert reason("unfinished", "雪まつりの写真", caption) is None
    assert not is_caption(f"{caption}の")
    assert not is_caption(caption * 2)
    assert not is_caption(f"夜の会場。{caption}")


@pytest.mark.parametrize(
    ("query", "is_open"),
    [
        ("雪まつりのことを英語で", False),
        ("なんで雪像を作るの", False),
        ("雪像に触らないで", False),
        ("雪まつりが始まったのはいつ？、", False),
        ("雪像はどう作られているが", False),
        ("雪像を作るような", True),
        ("雪まつりで公園の", True),
        ("大通公園で", True),
    ],
)
def test_queries_that_ask_for_another_word(query: str, is_open: bool) -> None:
    """Unless they have asked already, or say in which words to answer."""
    assert is_open_query(query) == is_open


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("1950年に地元の高校生が六つの雪像を大通公園に作ったこと", None),
        ("毎年二月に二百万人ほどが訪れ、自衛隊や市民の団体", None),
        ("1950年に地元の高校生が六つの雪像を大通公園に作った", "query_in_positive"),
        ("自衛隊や市民の団体が大きな雪像を競って作る", "query_in_positive"),
        ("地元の高校生が六つの雪像を大通公園に", "query_in_positive"),
    ],
)
def test_a_clause_that_ends_in_a_noun_is_no_copied_sentence(
    query: str, expected: str | None
) -> None:
    """It is how keywords are written; one that ends where a sentence does is a copy."""
    assert ends_in_noun(query) == (expected is None)
    assert reason("query_copied", query) == expected
    whole = f"{DOCUMENT_JA}祭りの主な会場は札幌市中央区の大通公園。"
    assert (
        reason("query_copied", "祭りの主な会場は札幌市中央区の大通公園", whole)
        == "query_in_positive"
    )


@pytest.mark.parametrize(
    ("query", "positive", "expected"),
    [
        ("〇〇公園で始まった雪まつり。〇〇に入る言葉は何か", DOCUMENT_JA, None),
        ("雪まつりを〇〇と呼ぶが、〇〇とは何か", DOCUMENT_JA, None),
        ("○○公園の雪まつりの始まり", DOCUMENT_JA, "query_placeholder"),
        ("雪像の題", f"{DOCUMENT_JA}雪像には「○○小学校」のように題が付く。", None),
        ("雪像の題", f"{DOCUMENT_JA}○○小学校も雪像を作る。", "positive_placeholder"),
    ],
)
def test_gaps_that_are_asked_about_or_quoted(
    query: str, positive: str, expected: str | None
) -> None:
    """Circles stand for a word to be found, or for any name; elsewhere nobody filled them in."""
    assert reason("placeholder", query, positive) == expected


def test_a_word_of_another_language_is_named_with_it() -> None:
    """What "ロシア語: …" says of the letters needs no brackets."""
    named = DOCUMENT_JA.replace("始まった。", "始まった。ロシア語: Снежный фестиваль。")
    assert reason("mixed_script", "雪まつりの始まりは", named) is None
    bare = DOCUMENT_JA.replace("始まった。", "始まった。Снежный фестиваль。")
    assert reason("mixed_script", "雪まつりの始まりは", bare) == "positive_mixed_script"


def test_queries_that_are_mostly_foreign_names() -> None:
    """One letter in six of its own is enough; none is not."""
    assert reason("script", "American Society for Testing Materialsの規格番号") is None
    assert reason("script", "American Society for Testing Materials") == "query_wrong_script"
