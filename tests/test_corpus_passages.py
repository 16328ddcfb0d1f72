"""A document → passages: by section, within a budget, with overlap and the titles above."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.config import load_config
from generator.corpus.blocks import Block, Document, joined
from generator.corpus.passages import Draft, drafts
from generator.corpus.tokens import chopped, sentences, token_count
from generator.corpusconfig import CorpusConfig
from generator.errors import ConfigError

SENTENCES = [
    f"Sentence number {i} tells one more thing about the bees of the city." for i in range(40)
]
JAPANESE = [f"{i}番目の文は、町の蜜蜂についてもう一つのことを語る。" for i in range(40)]


def cut(*blocks: Block, title: str = "", **keys: Any) -> list[Draft]:
    """The passages of a document of these blocks."""
    config = CorpusConfig(paths=("x",), **{"min_tokens": 0, "overlap": 0, **keys})
    return list(drafts(Document("d", title, blocks), config))


def heading(text: str, level: int = 1) -> Block:
    """A heading."""
    return Block("heading", text, level)


def words(text: str) -> Block:
    """A paragraph."""
    return Block("paragraph", text)


def test_a_passage_knows_the_titles_above_it() -> None:
    """A heading ends those of its level and below; the document's title stands first."""
    found = cut(
        words("Before."), heading("A"), words("In A."), heading("B", 2), words("In B."),
        heading("C", 2), words("In C."), heading("D"), words("In D."), title="T",
    )  # fmt: skip
    assert [(draft.path, draft.text) for draft in found] == [
        (("T",), "Before."),
        (("T", "A"), "In A."),
        (("T", "A", "B"), "In B."),
        (("T", "A", "C"), "In C."),
        (("T", "D"), "In D."),
    ]
    assert all(draft.opens_section for draft in found)


def test_a_title_that_the_first_heading_repeats_stands_once() -> None:
    """A page's title is often its heading with the site's name behind it."""
    assert cut(heading("Bees"), words("x"), title="Bees – the site")[0].path == ("Bees",)


@pytest.mark.parametrize("lines", [SENTENCES, JAPANESE], ids=["en", "ja"])
def test_a_long_paragraph_is_cut_between_sentences(lines: list[str]) -> None:
    """Each passage keeps the budget; together they hold every sentence once, in order."""
    glue = " " if lines is SENTENCES else ""
    found = cut(words(glue.join(lines)), tokens=64)
    assert len(found) > 5
    assert all(draft.tokens <= 64 for draft in found)
    assert glue.join(draft.text for draft in found) == glue.join(lines)
    assert [draft.opens_section for draft in found] == [True] + [False] * (len(found) - 1)


@pytest.mark.parametrize("lines", [SENTENCES, JAPANESE], ids=["en", "ja"])
def test_a_passage_repeats_the_end_of_the_one_before(lines: list[str]) -> None:
    """Whole sentences within the overlap, inside one section only."""
    text = (" " if lines is SENTENCES else "").join(lines)
    found = cut(words(text), heading("Next"), words("Alone."), tokens=64, overlap=32)
    for before, after in pairwise(found[:-1]):
        repeated = after.pieces[: after.repeated]
        assert repeated
        assert sum(piece.tokens for piece in repeated) <= 32
        assert before.text.endswith(repeated[-1].text)
        assert after.text.startswith(repeated[0].text)
    assert found[-1].text == "Alone."


def test_paragraphs_lists_and_tables_stay_whole_where_they_fit() -> None:
    """A passage is filled block by block; what does not fit begins the next."""
    found = cut(words("one two three"), Block("list", "- a\n- b"), words("four five"), tokens=16)
    assert [draft.text for draft in found] == ["one two three\n\n- a\n- b\n\nfour five"]
    rows = "\n".join(f"| row {i} | cell |" for i in range(12))
    found = cut(Block("table", rows), tokens=32)
    assert "\n".join(draft.text for draft in found) == rows
    assert len(found) > 2


def test_code_is_cut_only_where_it_is_twice_the_budget() -> None:
    """A listing of up to two budgets is one passage; a longer one is cut between lines."""
    line = "let value = compute(first, second);"
    small, large = "\n".join([line] * 3), "\n".join([line] * 12)
    assert [draft.text for draft in cut(Block("code", small), tokens=24)] == [small]
    found = cut(Block("code", large), tokens=24)
    assert "\n".join(draft.text for draft in found) == large
    assert all(draft.prose == "" for draft in found)


def test_a_short_section_joins_the_next_below_the_same_title() -> None:
    """Under `min_tokens` a section is no passage of its own; its heading stays in the text."""
    found = cut(
        heading("A"),
        words("Short."),
        heading("B", 2),
        words("Also short."),
        min_tokens=8,
        tokens=64,
    )
    assert [(draft.path, draft.text) for draft in found] == [(("A",), "Short.\n\nB\n\nAlso short.")]


def test_a_short_rest_joins_the_passage_before() -> None:
    """The last few words of a section do not stand alone, though the budget is stretched."""
    text = " ".join([*SENTENCES[:8], "The end."])
    assert len(cut(words(text), tokens=120, min_tokens=0)) == 2
    (found,) = cut(words(text), tokens=120, min_tokens=8)
    assert found.text == text


@given(st.text(max_size=400), st.integers(16, 60))
def test_nothing_is_lost_and_the_budget_is_kept(text: str, tokens: int) -> None:
    """Whatever a text holds: its passages hold the same characters, spaces aside."""
    clean = joined(text)
    found = cut(words(clean), tokens=tokens) if clean else []
    assert "".join("".join(draft.text.split()) for draft in found) == "".join(clean.split())
    assert all(draft.tokens <= tokens for draft in found)


def test_tokens_are_counted_in_any_script() -> None:
    """About what subword tokenisers make: words by length, Han and kana one each."""
    assert token_count("the bees") == 2
    assert token_count("internationalisation") == 4
    assert token_count("蜜蜂の巣箱") == 5
    assert token_count("Rust の本。") == 4


def test_sentences_end_where_they_end() -> None:
    """Not after abbreviations, nor inside 「」; 。 needs no space."""
    assert sentences("Dr. Smith keeps bees. They live, e.g. in hives! Do they?") == [
        "Dr. Smith keeps bees.", "They live, e.g. in hives!", "Do they?"
    ]  # fmt: skip
    assert sentences("彼は「行く。」と言った。次の日だ！そう。") == [
        "彼は「行く。」と言った。", "次の日だ！", "そう。"
    ]  # fmt: skip
    assert sentences("値は３．５である．次に，２０個を「Ａ．」とした．") == [
        "値は３．５である．", "次に，２０個を「Ａ．」とした．"
    ]  # fmt: skip


def test_what_has_no_sentences_is_chopped() -> None:
    """At spaces where there are any, else anywhere; nothing is lost."""
    assert list(chopped("a b c d", 2)) == ["a b", "c d"]
    run = "蜂" * 50
    pieces = list(chopped(run, 16))
    assert "".join(pieces) == run
    assert all(token_count(piece) <= 16 for piece in pieces)


def test_the_overlap_is_at_most_half_of_the_budget() -> None:
    """Anything else is refused with its place."""
    with pytest.raises(ConfigError, match="configuration") as error:
        load_config(environ={}, corpus={"paths": "x", "tokens": 32, "overlap": 20})
    assert any("at most half" in problem for problem in error.value.problems)
