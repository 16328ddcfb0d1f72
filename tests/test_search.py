"""Exact search, BM25, tokenisation and the passages they search in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import InputError
from generator.search.bm25 import BM25, K1, B
from generator.search.exact import exact_search
from generator.search.hits import top_k
from generator.search.passages import Passage, read_passages
from generator.search.tokenise import Tokeniser, guess_language, pieces


@given(
    scores=st.lists(
        st.lists(st.sampled_from([-2.0, -0.0, 0.0, 1e-9, 0.5, 3.0]), min_size=7, max_size=7),
        min_size=1,
        max_size=4,
    ),
    k=st.integers(1, 9),
    blocks=st.tuples(st.integers(1, 5), st.integers(1, 9)),
)
def test_blocks_give_the_order_of_a_stable_sort(
    scores: list[list[float]], k: int, blocks: tuple[int, int]
) -> None:
    """Whatever the blocks, ties stand in the order of the documents, -0 equal to 0."""
    asked = np.array(scores, dtype=np.float32)
    found = exact_search(
        asked, np.eye(7, dtype=np.float32), k, query_block=blocks[0], document_block=blocks[1]
    )
    expected = np.argsort(-asked, axis=1, kind="stable")[:, :k]
    assert found.indices.tolist() == expected.tolist()
    assert found.scores.tolist() == np.take_along_axis(asked, expected, axis=1).tolist()


def test_exact_search_equals_the_full_matrix() -> None:
    """Random vectors, in several blocks: the same documents as a sort of all scores."""
    draw = np.random.default_rng(1)
    queries = draw.standard_normal((70, 16)).astype(np.float32)
    documents = draw.standard_normal((900, 16)).astype(np.float32)
    found = exact_search(queries, documents, 20, query_block=32, document_block=128)
    expected = np.argsort(-(queries @ documents.T), axis=1, kind="stable")[:, :20]
    assert np.mean(found.indices == expected) > 0.999  # the last bits of a product may differ


def test_no_query_and_no_document_give_empty_hits() -> None:
    """Shapes stay right at the edges."""
    some, none = np.ones((2, 3), dtype=np.float32), np.empty((0, 3), dtype=np.float32)
    assert exact_search(none, some, 5).indices.shape == (0, 2)
    assert exact_search(some, none, 5).indices.shape == (2, 0)


def test_scores_that_are_not_numbers_are_refused() -> None:
    """NaN has no order."""
    with pytest.raises(ValueError, match="not a number"):
        top_k(np.array([[1.0, np.nan]], dtype=np.float32), 1)
    with pytest.raises(ValueError, match="do not fit"):
        exact_search(np.ones((1, 2)), np.ones((1, 3)), 1)
    with pytest.raises(ValueError, match="NaN or infinity"):
        exact_search(np.ones((1, 2)), np.full((1, 2), np.inf), 1)
    with pytest.raises(ValueError, match="at least 1"):
        exact_search(np.ones((1, 2)), np.ones((1, 2)), 0)


@pytest.mark.parametrize(
    ("language", "text", "terms"),
    [
        ("en", "The rivers are Flooding a B!", ["river", "flood"]),
        ("none", "Ｔｈｅ rivers", ["the", "rivers"]),
        ("none", "梅雨は", ["梅雨", "雨は", "梅", "雨"]),
        ("none", "3月のLinux", ["3", "月の", "月", "linux"]),
        ("none", "カレー", ["カレ", "レー"]),
        ("none", "ภาษา", ["ภา", "าษ", "ษา"]),
        ("none", "서울에", ["서울", "울에"]),
        ("none", "हिन्दी में", ["हिन्दी", "में"]),
        ("de", "Die Häuser und die Flüsse", ["haus", "fluss"]),
        ("en", "… 。", []),
    ],
)
def test_terms(language: str, text: str, terms: list[str]) -> None:
    """Words in spaced scripts, bigrams in the others, stems and stop words where known."""
    assert Tokeniser(language)(text) == terms


def test_english_terms_equal_bm25s_own() -> None:
    """What the reference scores were taken with: bm25s' tokeniser with PyStemmer."""
    import bm25s  # noqa: PLC0415
    import Stemmer  # noqa: PLC0415

    text = "The 2 quick_brown foxes weren't running, e.g. over X-rays of 1,000 naïve dogs."
    own = bm25s.tokenize(
        [text], stopwords="en", stemmer=Stemmer.Stemmer("english"), return_ids=False,
        show_progress=False,
    )[0]  # fmt: skip
    assert Tokeniser("en")(text) == own


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["The cat sat on the mat, and it was not a big one."], "en"),
        (["Die Katze sass auf der Matte, und sie war nicht die einzige."], "de"),
        (["梅雨は北海道と小笠原諸島を除く日本にみられる。"], "none"),
        (["12 34 foo bar"], "none"),
        ([], "none"),
    ],
)
def test_the_language_is_guessed_from_stop_words(texts: list[str], language: str) -> None:
    """No stop words, no language."""
    assert guess_language(texts) == language


def test_an_unknown_language_lists_the_known_ones() -> None:
    """The hint names what can be typed."""
    with pytest.raises(InputError, match="no stop words for 'xx'") as caught:
        Tokeniser("xx")
    assert "en" in caught.value.hint


def test_bm25_scores_follow_the_formula() -> None:
    """Two documents and one term: Lucene's BM25, by hand."""
    index = BM25(["red red apple", "green pear of mine"], language="none")
    idf = np.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 2 / (2 + K1 * (1 - B + B * 3 / 3.5))
    assert index.scores("red").tolist() == [pytest.approx(expected, rel=1e-6), -np.inf]


def test_bm25_names_only_texts_that_share_a_term() -> None:
    """A query of unknown words finds nothing; equal texts stand in their order."""
    index = BM25(["black cat", "white dog", "black cat"], language="none")
    found = index.search(["cat", "zebra", "…"], 3)
    assert found.row(0)[0].tolist() == [0, 2]
    assert found.row(1)[0].tolist() == found.row(2)[0].tolist() == []
    assert BM25(["…", ""], language="none").search(["cat"], 1).row(0)[0].tolist() == []


def test_bm25_finds_japanese() -> None:
    """A question shares bigrams with its passage, without a dictionary."""
    index = BM25(["入梅は田植えの時期の目安とされた。", "北海道に梅雨はない。"])
    assert index.search(["梅雨がないのはどこか。", "目安"], 1).indices.tolist() == [[1], [0]]


def test_passages_of_every_kind(tmp_path: Path) -> None:
    """A BEIR folder, JSONL without ids, a text file and a run's records."""
    (tmp_path / "corpus.jsonl").write_text('{"_id": 7, "title": "T", "text": "a"}\n\n')
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n\n{"text": "b"}\n')
    (tmp_path / "lines.txt").write_text("a\n\nb\n")
    run = tmp_path / "run"
    run.mkdir()
    row = {"positives": [{"id": "p", "text": "a"}], "negatives": [{"id": "n", "text": "b"}]}
    (run / "records.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(row) + "\n")
    assert read_passages(tmp_path) == [Passage("7", "a", "T")]
    assert read_passages(tmp_path)[0].full == "T a"
    assert read_passages(tmp_path / "rows.jsonl") == [Passage("1", "a"), Passage("3", "b")]
    assert read_passages(tmp_path / "lines.txt") == [Passage("1", "a"), Passage("3", "b")]
    assert read_passages(run) == [Passage("p", "a"), Passage("n", "b")]


def test_bad_passages_are_told_all_at_once(tmp_path: Path) -> None:
    """Each with its line; the first ten of many."""
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"_id": "a", "text": "x"}\n[]\n{"_id": "b"}\n{"_id": "a", "text": "y"}\n{\n')
    with pytest.raises(InputError, match="4 bad lines") as caught:
        read_passages(path)
    places = [problem.split(": ")[0] for problem in caught.value.problems]
    assert places == [f"corpus.jsonl:{number}" for number in (2, 3, 4, 5)]
    path.write_text("x\n" * 15)
    with pytest.raises(InputError) as caught:
        read_passages(path)
    assert caught.value.problems[-1] == "and 5 more"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_corpus_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """A missing, an empty and a binary file are the user's to put right."""
    path = tmp_path / "corpus.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"corpus\.txt"):
        read_passages(path)
    with pytest.raises(InputError, match="neither a BEIR folder nor a run"):
        read_passages(tmp_path)


def test_pieces_are_lower_case_and_normal() -> None:
    """NFKC first: full-width letters and half-width kana are the usual ones."""
    assert pieces("ＡＢＣ ｶﾞｽ") == ["abc", "ガス"]


def test_bm25_starts_no_jax(tmp_path: Path) -> None:
    """bm25s runs JAX as it is imported, where it is installed: that takes a GPU's memory."""
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("print('jax was started')\n")
    (tmp_path / "jax" / "lax.py").write_text("def top_k(scores, k): return scores[:k], None\n")
    code = (
        "from generator.search.bm25 import BM25; BM25(['one text', 'two texts']).search(['one'], 1)"
        "; import sys; print('jax' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False"]
