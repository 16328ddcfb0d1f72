"""Deduplication: what goes, because of which, and what must hold for any input."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.dedupe import Deduped, Dropped, deduplicate, similar_pairs
from generator.dedupe.minhash import PERMUTATIONS, bands_for, sketch
from generator.records import Record, make_record
from generator.text import jaccard, shingles

DOCUMENT = (
    "The harbour of Aberdeen was rebuilt after the flood of 1829. Engineers dug a new basin, moved "
    "the mouth of the river Dee to the south, and paid for all of it with a tax on coal."
)
DOCUMENT_JA = (
    "札幌の雪まつりは1950年に地元の高校生が六つの雪像を大通公園に作ったことから始まった。"
    "いまでは毎年二月に二百万人ほどが訪れ、自衛隊や市民の団体が大きな雪像を競って作る。"
)


def record(
    query: str,
    positive: str = "",
    *,
    family: str = "f",
    language: str = "en",
    label: str | None = None,
) -> Record:
    """A record with one positive: by default a text that shares nothing with that of another."""
    positive = positive or random.Random(query).randbytes(60).hex()
    return make_record(
        family=family,
        task="t",
        language=language,
        query=query,
        positives=(positive,),
        label=label,
    )


def test_exact_duplicates_of_the_query() -> None:
    """Case, width and punctuation make no other query; family and language do."""
    records = [
        record("Where is Aberdeen?"),
        record("where is aberdeen"),
        record("where is aberdeen", DOCUMENT_JA, family="g"),
        record("where is aberdeen", DOCUMENT, language="en-de"),
        record("ＷＨＥＲＥ is Aberdeen !"),
    ]
    assert deduplicate(records) == Deduped(
        kept=(0, 2, 3),
        dropped=(
            Dropped(1, 0, "query_duplicate", 1.0),
            Dropped(4, 0, "query_duplicate", 1.0),
        ),
    )
    assert deduplicate(records, fields=["record"]).kept == (0, 1, 2, 3, 4)


def test_exact_duplicates_of_the_record_cross_families() -> None:
    """The same query and positive are one record wherever they come from."""
    records = [record("q", DOCUMENT), record("q", DOCUMENT.upper(), family="g")]
    assert deduplicate(records).dropped == (Dropped(1, 0, "record_duplicate", 1.0),)


def test_duplicates_of_the_positive_on_demand() -> None:
    """Several queries may ask for one document, unless "positive" is among the fields."""
    records = [record("where was the flood", DOCUMENT), record("who paid the bill", DOCUMENT)]
    assert deduplicate(records, near_threshold=None).kept == (0, 1)
    strict = deduplicate(records, near_threshold=None, fields=["positive"])
    assert strict.dropped == (Dropped(1, 0, "positive_duplicate", 1.0),)


@pytest.mark.parametrize(
    ("text", "old", "new", "language"),
    [(DOCUMENT, "1829", "1830", "en"), (DOCUMENT_JA, "六つ", "七つ", "ja")],
)
def test_near_duplicates_of_the_record(text: str, old: str, new: str, language: str) -> None:
    """One word changed is a near-duplicate with the exact Jaccard similarity, in any script."""
    changed = text.replace(old, new)
    records = [
        record("first query", text, language=language),
        record("other", "another text altogether"),
        record("first query!!", changed, family="g", language=language),
    ]
    score = jaccard(shingles("first query\n" + text), shingles("first query!!\n" + changed))
    assert 0.85 < score < 1
    result = deduplicate(records)
    assert result.kept == (0, 1)
    assert result.dropped == (Dropped(2, 0, "record_near_duplicate", score),)
    assert deduplicate(records, near_threshold=score).kept == (0, 1)
    assert deduplicate(records, near_threshold=score + 1e-9).kept == (0, 1, 2)
    assert deduplicate(records, near_threshold=None).kept == (0, 1, 2)


def test_near_duplicates_of_the_query_on_demand() -> None:
    """Near-duplicate queries stay by default and go above their own threshold."""
    first = record("how do I reset the router of my neighbour")
    second = record("how do I reset the router of my neighbours")
    assert deduplicate([first, second]).kept == (0, 1)
    result = deduplicate([first, second], query_near_threshold=0.9)
    assert [(drop.index, drop.reason) for drop in result.dropped] == [(1, "query_near_duplicate")]


def test_labels_repeat_by_design() -> None:
    """Of a labelled record the query alone is compared."""
    records = [
        record("card lost", "lost or stolen card", label="lost or stolen card"),
        record("card gone", "lost or stolen card", label="lost or stolen card"),
        record("Card lost!", "card arrival", label="card arrival"),
    ]
    result = deduplicate(records, fields=["query", "positive", "record"], near_threshold=0.5)
    assert result.kept == (0, 1)
    assert result.dropped == (Dropped(2, 0, "query_duplicate", 1.0),)


def test_texts_without_letters_resemble_nothing() -> None:
    """Two texts of punctuation are exact duplicates of each other and near ones of nothing."""
    assert list(similar_pairs(["...", "!!!", ""], 0.5)) == []


def test_no_chains() -> None:
    """What resembles only a dropped item is kept: there is no transitive clustering."""
    words = DOCUMENT.split()
    chain = [" ".join(words[start : start + 24]) for start in (0, 2, 4)]
    pairs = {(i, j) for i, j, _ in similar_pairs(chain, 0.8)}
    assert pairs == {(0, 1), (1, 2)}
    records = [record(f"q{i}", text) for i, text in enumerate(chain)]
    assert deduplicate(records, near_threshold=0.8).kept == (0, 2)


def test_unknown_fields_are_refused() -> None:
    """A field that no record has is an error that names the fields."""
    with pytest.raises(ValueError, match="fields are query, positive, record; not title"):
        deduplicate([], fields=["title"])  # type: ignore[list-item]


def test_result_explains_itself() -> None:
    """Ratios, counts and the closest calls; the repr is one line."""
    result = Deduped(
        kept=(0, 1),
        dropped=(
            Dropped(2, 0, "query_duplicate", 1.0),
            Dropped(3, 1, "record_near_duplicate", 0.8),
        ),
    )
    assert result.duplicate_ratio == 0.5
    assert result.ratio("query_duplicate") == 0.25
    assert result.ratio("positive_duplicate") == 0
    assert result.least_similar(1) == [Dropped(3, 1, "record_near_duplicate", 0.8)]
    assert repr(result) == (
        "Deduped(2 kept, 2 dropped: 1 query_duplicate, 1 record_near_duplicate)"
    )
    assert repr(Deduped((), ())) == "Deduped(0 kept, 0 dropped: none)"
    assert Deduped((), ()).duplicate_ratio == 0


class CountedReads(Sequence[str]):
    """Texts that count how they are read, as a file behind a sequence would be."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.reads: list[int] = []
        self.passes = 0

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[str]:
        self.passes += 1
        return iter(self.texts)

    def __getitem__(self, item: int) -> str:  # type: ignore[override]
        self.reads.append(item)
        return self.texts[item]


def test_texts_are_iterated_once_and_read_by_position_to_verify() -> None:
    """Only candidates are read again."""
    texts = CountedReads([DOCUMENT, "something else", DOCUMENT + " Done.", DOCUMENT_JA])
    assert [(i, j) for i, j, _ in similar_pairs(texts, 0.8)] == [(0, 2)]
    assert texts.passes == 1
    assert sorted(texts.reads) == [0, 2]


def vocabulary() -> list[str]:
    """Made-up words, so that unrelated texts share few 5-grams."""
    rng = random.Random(0)
    return ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(5000)]


@pytest.mark.parametrize(("words", "changed"), [(150, 0.04), (12, 0.05)])
def test_recall_of_planted_near_duplicates(words: int, changed: float) -> None:
    """Of pairs .03 above the threshold at least 95 % are found, in long and in short texts."""
    rng, known = random.Random(1), vocabulary()
    texts: list[str] = []
    for _ in range(400):
        text = rng.choices(known, k=words)
        copy = [rng.choice(known) if rng.random() < changed else word for word in text]
        texts += [" ".join(text), " ".join(copy)]
    score = {
        (i, i + 1): jaccard(shingles(texts[i]), shingles(texts[i + 1]))
        for i in range(0, len(texts), 2)
    }
    planted = {pair for pair, value in score.items() if value >= 0.83}
    found = {(i, j): value for i, j, value in similar_pairs(texts, 0.8)}
    assert len(planted) > 150
    assert len(planted & found.keys()) >= 0.95 * len(planted)
    assert all(found[pair] == score[pair] >= 0.8 for pair in found)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8, 0.9, 0.95, 1.0])
def test_bands_promise_their_recall(threshold: float) -> None:
    """Bands fit the signature, and a pair at the threshold is rarely missed."""
    bands = bands_for(threshold)
    assert bands.count * bands.rows <= PERMUTATIONS
    assert bands.recall(threshold) >= 0.99
    assert bands.count * 12 <= 300 or threshold < 0.7  # bytes an item


def test_band_keys_are_the_same_in_every_run() -> None:
    """Keys depend on the text's normal form alone, whatever its length."""
    bands = bands_for(0.8)
    assert sketch("Hello, World", bands)[0].tolist() == sketch("hello world", bands)[0].tolist()
    assert int(sketch("hello world", bands)[0][0]) == KNOWN_KEY
    assert sketch("x" * 3000, bands)[0].tolist() == sketch("x" * 5, bands)[0].tolist()


KNOWN_KEY = 14024612670957609198

# Few letters and short texts: duplicates of every kind come by themselves.
texts_strategy = st.lists(st.text(alphabet="ab c", max_size=12), max_size=12)
thresholds = st.sampled_from([0.3, 0.5, 0.8, 1.0])


def records_of(texts: list[str]) -> list[Record]:
    """Records whose query is the text and whose positives hardly differ."""
    return [record(text, "p" + text[:6] + "q") for text in texts]


@settings(max_examples=30, deadline=None)
@given(texts_strategy, thresholds)
def test_kept_and_dropped_are_the_input(texts: list[str], threshold: float) -> None:
    """Nothing disappears, both come in order, and every partner is an earlier kept item."""
    result = deduplicate(records_of(texts), near_threshold=threshold)
    dropped = [drop.index for drop in result.dropped]
    assert sorted([*result.kept, *dropped]) == list(range(len(texts)))
    assert list(result.kept) == sorted(result.kept)
    assert dropped == sorted(dropped)
    assert all(d.partner in result.kept and d.partner < d.index for d in result.dropped)
    assert all(threshold <= drop.score <= 1 for drop in result.dropped)


@settings(max_examples=30, deadline=None)
@given(texts_strategy, thresholds)
def test_deduplication_is_idempotent(texts: list[str], threshold: float) -> None:
    """What was kept holds no duplicates."""
    records = records_of(texts)
    kept = [records[i] for i in deduplicate(records, near_threshold=threshold).kept]
    assert deduplicate(kept, near_threshold=threshold).dropped == ()


@settings(max_examples=30, deadline=None)
@given(texts_strategy, thresholds, st.integers(0, 12))
def test_a_prefix_gives_a_prefix(texts: list[str], threshold: float, length: int) -> None:
    """More records never change what became of the earlier ones."""
    records = records_of(texts)
    whole = deduplicate(records, near_threshold=threshold)
    prefix = deduplicate(records[:length], near_threshold=threshold)
    assert prefix.kept == tuple(i for i in whole.kept if i < length)
    assert prefix.dropped == tuple(drop for drop in whole.dropped if drop.index < length)


@settings(max_examples=30, deadline=None)
@given(texts_strategy)
def test_a_higher_threshold_finds_fewer_pairs(texts: list[str]) -> None:
    """Pairs shrink as the threshold grows (the greedy choice of kept items need not)."""
    pairs = [set(similar_pairs(texts, threshold)) for threshold in (0.3, 0.5, 0.8, 1.0)]
    assert all(higher <= lower for lower, higher in itertools.pairwise(pairs))


@settings(max_examples=30, deadline=None)
@given(texts_strategy)
def test_pairs_are_those_of_all_comparisons(texts: list[str]) -> None:
    """At threshold 1.0 the pairs are exactly those of equal sets of 5-grams, in order."""
    sets = [shingles(text) for text in texts]
    expected = [
        (i, j, 1.0) for j in range(len(texts)) for i in range(j) if jaccard(sets[i], sets[j]) == 1.0
    ]
    assert list(similar_pairs(texts, 1.0)) == expected
