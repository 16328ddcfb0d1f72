"""Text measures, scripts and the language detector."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import content, langid
from generator.alike import contained, jaccard, shared, similarity
from generator.scripts import RANGES, SCRIPTS, letter_count, script_share
from generator.text import (
    buckets,
    contains_phrase,
    count_distinct,
    ngram_hashes,
    ngram_keys,
    normalise,
    shingles,
    unspaced_share,
    word_count,
)

XLM_R = (
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he "
    "hi hr hu hy id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om "
    "or pa pl ps pt ro ru sa sd si sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh"
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("  - … !? ", 0),
        ("Don't stop - it's 5 o'clock.", 5),
        ("日本の首都", 2.5),
        ("日本の首都。", 2.5),
        ("東京 Tower は", 2.5),
        ("ภาษาไทย", 1.75),
        ("हिन्दी में लिखा", 3),
    ],
)
def test_word_count(text: str, words: float) -> None:
    """Spaced scripts count tokens; Han and kana half a word, Thai a quarter a character."""
    assert word_count(text) == words


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  Hello,\n WORLD!! ", "hello world"),
        ("ＡＢＣ１２３", "abc123"),
        ("今日は、 晴れ です。", "今日は晴れです"),
        ("C# is not C++", "c# is not c++"),
        ("Straße\u200b", "strasse"),
        ("हिन्दी में", "हिन्दी में"),
        ("\ud800", ""),
    ],
)
def test_normalise(text: str, normal: str) -> None:
    """Case, width, punctuation and spacing go; symbols and vowel signs stay."""
    assert normalise(text) == normal


@given(st.text())
def test_normalise_is_idempotent_on_what_it_returns(text: str) -> None:
    """No text gains spaces at its ends or doubled spaces."""
    normal = normalise(text)
    assert normal == normal.strip()
    assert "  " not in normal


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("the cart is here", "art", False),
        ("art for art's sake", "art", True),
        ("modern art", "art", True),
        ("最新のai技術", "ai", True),
        ("人工知能の歴史", "知能", True),
        ("anything", "", False),
    ],
)
def test_contains_phrase_wants_whole_words_where_there_are_spaces(
    text: str, phrase: str, *, found: bool
) -> None:
    """A phrase ends at a space, an edge, or a character of an unspaced script."""
    assert contains_phrase(text, phrase) is found


def test_unspaced_share() -> None:
    """The share is of all characters."""
    assert unspaced_share("abc") == 0
    assert unspaced_share("東京ab") == 0.5
    assert unspaced_share("") == 0


@given(st.text(alphabet="ab", max_size=40), st.integers(1, 20))
def test_ngram_hashes_are_equal_where_the_ngrams_are(text: str, size: int) -> None:
    """Two places have the same hash iff they have the same characters."""
    size = min(size, max(1, len(text)))
    grams = [text[start : start + size] for start in range(len(text) - size + 1)] if text else []
    hashes = ngram_hashes(text, size).tolist()
    assert len(hashes) == len(grams)
    assert len(set(hashes)) == len(set(grams))
    assert len(set(zip(grams, hashes, strict=True))) == len(set(grams))


@given(st.text(alphabet="abc ", max_size=60), st.text(alphabet="abc ", max_size=60))
def test_jaccard_is_that_of_the_sets(first: str, second: str) -> None:
    """The arrays give what Python sets of 5-grams give."""

    def grams(text: str) -> set[str]:
        text = normalise(text)
        return {text[i : i + 5] for i in range(max(1, len(text) - 4))} if text else set()

    one, other = grams(first), grams(second)
    union = one | other
    assert shared(shingles(first), shingles(second)) == len(one & other)
    expected = len(one & other) / len(union) if union else 0.0
    assert jaccard(shingles(first), shingles(second)) == expected


TWO_LETTERS = st.text(alphabet="ab é", max_size=60)


@given(first=TWO_LETTERS, second=TWO_LETTERS, above=st.sampled_from([0.0, 0.3, 0.9]))
def test_similarity_is_jaccard_or_nothing(first: str, second: str, above: float) -> None:
    """The exact figure where it is above the bound, ASCII or not; below it may be left out."""
    expected = jaccard(shingles(first), shingles(second))
    found = similarity(normalise(first), normalise(second), above)
    assert found == expected or (found == 0.0 and expected <= above)
    assert (found > above) == (expected > above)


@given(
    part=st.text(alphabet="abcé ", max_size=80),
    before=st.text(alphabet="abcé ", max_size=80),
    above=st.floats(0, 1),
)
def test_contained_is_the_share_or_nothing(part: str, before: str, above: float) -> None:
    """Of the 5-grams of the part those that the text has, ASCII or not; or nothing, if low."""
    part, text = normalise(part), normalise(f"{before} {part[: len(part) // 2]} {before}")
    wanted, held = set(shingles(part).tolist()), set(shingles(text).tolist())
    expected = len(wanted & held) / len(wanted) if wanted else 0.0
    found = contained(part, text, above)
    assert found == expected or (found == 0.0 and expected <= above)


@given(text=st.text(alphabet="abcdefgh ", max_size=400), size=st.integers(1, 20))
def test_buckets_are_at_most_as_many_as_keys(text: str, size: int) -> None:
    """They bound the number of different ones from below, and are close to it."""
    keys = ngram_keys(text, min(size, len(text)) or 1)
    held = int(np.count_nonzero(buckets(keys)))
    assert 0.9 * count_distinct(keys) - 3 <= held <= count_distinct(keys)


def test_shingles_of_an_empty_text_resemble_nothing() -> None:
    """Two texts of punctuation alone have no similarity."""
    assert shingles("...").size == 0
    assert jaccard(shingles("..."), shingles("!!!")) == 0
    assert shingles("abc").dtype == np.uint64


def test_scripts_know_the_languages_of_xlm_r() -> None:
    """All 93 codes have a script, and every script has its characters."""
    assert set(SCRIPTS) == set(XLM_R.split())
    assert len(SCRIPTS) == 93
    assert {script for scripts in SCRIPTS.values() for script in scripts} == set(RANGES)


@pytest.mark.parametrize(
    ("text", "language", "share"),
    [
        ("Hello there", "en", 1.0),
        ("Hello there", "ja", 0.0),
        ("東京", "en", 0.0),
        ("東京abc", "ja", 2 / 3),
        ("Добар дан", "sr", 1.0),
        ("Dobar dan", "sr", 1.0),
        ("हिन्दी में", "hi", 1.0),
        ("12:30", "en", None),
        ("Hello", "xx", None),
    ],
)
def test_script_share(text: str, language: str, share: float | None) -> None:
    """A Han character weighs three letters; a text without letters has no share."""
    assert script_share(text, language) == (None if share is None else pytest.approx(share))


def test_detect_tells_languages_apart_and_survives_any_text() -> None:
    """Newlines and lone surrogates do no harm, and kana outweigh Han characters."""
    assert langid.detect("The council approved\na new plan for the harbour.").language == "en"
    assert langid.detect("Der Stadtrat hat gestern einen neuen Plan beschlossen.").language == "de"
    assert langid.detect("他党と比べてどの武力行使に慎重？").language == "ja"
    assert langid.detect("THE COUNCIL APPROVED A NEW PLAN FOR THE HARBOUR").language == "en"
    assert 0 <= langid.detect("\ud800").confidence <= 1


@pytest.mark.parametrize(
    ("text", "language", "is_plain"),
    [
        ("The harbour was rebuilt after the flood, and this is what it has been.", "en", True),
        ("How do I convert a ceiling fan with 2 wall switches to a separate one?", "en", True),
        ("Der Hafen was in for a to is of on at by as it wie in den Niederlanden.", "en", False),
        ("De haven is in de winter van het jaar was open, is of was het in juni?", "en", False),
        ("Harbour rebuilt", "en", False),
        ("The harbour was rebuilt after the flood and this is caf\u00e9.", "en", False),
        ("The harbour was rebuilt after the flood, and this is what it has been.", "de", False),
        ("札幌の雪まつりは1950年に地元の高校生が六つの雪像を作ったことから始まった。", "ja", True),
        ("关于北京大学历史的文章，介绍了它的创立和发展。", "ja", False),
        ("This is a long English sentence with かな and カナ in it.", "ja", False),
        ("", "ja", False),
        ("", "en", False),
    ],
)
def test_what_is_plain_needs_no_model(text: str, language: str, is_plain: bool) -> None:
    """Where it is said to be plain, the model says no other language."""
    assert langid.is_plainly(text, language) == is_plain
    if is_plain:
        assert langid.are_related(langid.detect(text).language, language)


def test_related_languages() -> None:
    """Croatian may pass for Serbian, German not for Japanese; Hausa is not known at all."""
    assert langid.are_related("hr", "sr")
    assert langid.are_related("en", "en")
    assert not langid.are_related("de", "ja")
    assert langid.is_known("en")
    assert not langid.is_known("ha")
    assert not langid.is_known("Hant")


# What the fast paths for ASCII stand in for: the same over patterns, character by character.
ANY_TEXT = st.text(st.sampled_from("aZ9_ .,-!?'\t\n\x1c\x00[]abé日ー")) | st.text()


@given(text=ANY_TEXT)
def test_the_fast_paths_measure_what_the_patterns_do(text: str) -> None:
    """Words, letters and the normal form of ASCII texts, as of any."""
    if not text.isascii():
        text = text.encode("ascii", "ignore").decode()
    assert word_count(text) == len(re.findall(r"[^\W_]\S*", text))
    assert letter_count(text) == len(re.findall(r"[^\W\d_]", text))
    folded = "".join(
        " " if unicodedata.category(c)[0] in "PZC" and c not in "#%&@" else c
        for c in text.casefold()
    )
    assert normalise(text) == " ".join(folded.split())
    words = re.findall(r"[^\W_]+", text.casefold())
    stems = [content.stem(word) for word in words if word not in content._STOP_WORDS]
    expected = [found for found in stems if found not in content._stop_stems()]
    assert content.content_words(text) == expected
    assert content.content_words(text, 2) == expected[:2]


@given(text=ANY_TEXT, size=st.integers(1, 30))
def test_keys_of_runs_are_equal_where_the_runs_are(text: str, size: int) -> None:
    """As many keys as runs, as many different ones as there are different runs."""
    size = min(size, len(text))
    runs = [text[i : i + size] for i in range(len(text) - size + 1)] if text else []
    keys = ngram_keys(text, size) if text else ngram_keys("", 5)
    assert len(keys) == len(runs)
    assert count_distinct(keys) == len(set(runs))


def test_shingles_compare_texts_in_and_out_of_ascii() -> None:
    """One letter outside of ASCII changes the 5-grams that hold it, and no other."""
    plain, accented = "the river and the market place " * 3, "the river and the markét place "
    common = {plain.strip()[i : i + 5] for i in range(len(plain.strip()) - 4)}
    common &= {accented.strip()[i : i + 5] for i in range(len(accented.strip()) - 4)}
    assert shared(shingles(plain), shingles(accented)) == len(common) > 15
