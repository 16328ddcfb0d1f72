"""Deduplication: what goes, because of which, and what must hold for any input."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.alike import jaccard
from generator.dedupe import (
    Deduped,
    Dropped,
    Measures,
    buckets,
    compare,
    deduplicate,
    near,
    similar_pairs,
)
from generator.dedupe.minhash import PERMUTATIONS, RECALL_AT_FLOOR, Sketches, bands_for
from generator.dedupe.rank import RANKS, longest
from generator.records import Record, make_record
from generator.text import shingles
from generator.unionfind import Groups

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
            Dropped(1, 0, "query_duplicate", 1.0, 0),
            Dropped(4, 0, "query_duplicate", 1.0, 0),
        ),
    )
    assert deduplicate(records, fields=["record"]).kept == (0, 1, 2, 3, 4)


def test_exact_duplicates_of_the_record_cross_families() -> None:
    """The same query and positive are one record wherever they come from."""
    records = [record("q", DOCUMENT), record("q", DOCUMENT.upper(), family="g")]
    assert deduplicate(records).dropped == (Dropped(1, 0, "record_duplicate", 1.0, 0),)


def test_duplicates_of_the_positive_on_demand() -> None:
    """Several queries may ask for one document, unless "positive" is among the fields."""
    records = [record("where was the flood", DOCUMENT), record("who paid the bill", DOCUMENT)]
    assert deduplicate(records, near_threshold=None).kept == (0, 1)
    strict = deduplicate(records, near_threshold=None, fields=["positive"])
    assert strict.dropped == (Dropped(1, 0, "positive_duplicate", 1.0, 0),)


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
    assert result.dropped == (Dropped(2, 0, "record_near_duplicate", score, 0),)
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
    assert result.dropped == (Dropped(2, 0, "query_duplicate", 1.0, 0),)


def test_texts_without_letters_resemble_nothing() -> None:
    """Two texts of punctuation are exact duplicates of each other and near ones of nothing."""
    assert list(similar_pairs(["...", "!!!", ""], 0.5)) == []


def test_chains() -> None:
    """What resembles a dropped item goes as well, for that one, and the chain tells who stays."""
    words = DOCUMENT.split()
    chain = [" ".join(words[start : start + 24]) for start in (0, 2, 4)]
    pairs = {(i, j) for i, j, _ in similar_pairs(chain, 0.8)}
    assert pairs == {(0, 1), (1, 2)}
    records = [record(f"q{i}", text) for i, text in enumerate(chain)]
    result = deduplicate(records, near_threshold=0.8)
    assert result.kept == (0,)
    assert [(drop.index, drop.partner, drop.stays) for drop in result.dropped] == [
        (1, 0, 0),
        (2, 1, 0),
    ]


def test_unknown_fields_are_refused() -> None:
    """A field that no record has is an error that names the fields."""
    with pytest.raises(ValueError, match="fields are query, positive, record; not title"):
        deduplicate([], fields=["title"])  # type: ignore[list-item]


def test_result_explains_itself() -> None:
    """Ratios, counts and the closest calls; the repr is one line."""
    result = Deduped(
        kept=(0, 1),
        dropped=(
            Dropped(2, 0, "query_duplicate", 1.0, 0),
            Dropped(3, 1, "record_near_duplicate", 0.8, 1),
        ),
    )
    assert result.duplicate_ratio == 0.5
    assert result.ratio("query_duplicate") == 0.25
    assert result.ratio("positive_duplicate") == 0
    assert result.least_similar(1) == [Dropped(3, 1, "record_near_duplicate", 0.8, 1)]
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


@pytest.mark.parametrize("floor", [0.1, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_promise_their_recall(floor: float) -> None:
    """Bands fit the signature, and a pair at the floor is rarely missed."""
    bands = bands_for(floor)
    assert bands.count * bands.rows <= PERMUTATIONS
    assert bands.recall(floor) >= RECALL_AT_FLOOR
    assert bands.recall(min(1, floor + 0.03)) >= 0.95
    assert bands.count * 12 <= 252 or floor < 0.7  # bytes an item


def keys_of(*texts: str) -> list[list[int]]:
    """The band keys of some texts, sketched together."""
    sketches = Sketches(bands_for(0.8))
    for text in texts:
        sketches.add(text)
    keys: list[list[int]] = sketches.finished()[0].tolist()
    return keys


def test_band_keys_are_the_same_in_every_run() -> None:
    """Keys depend on the text's normal form alone, whatever its length and its neighbours."""
    first, second, *_ = keys_of("Hello, World", "hello world", "", "ab", "雪まつり")
    assert first == second == keys_of("hello world")[0]
    assert first[0] == KNOWN_KEY
    assert keys_of("x" * 3000) == keys_of("x" * 5) != keys_of("y" * 5)


KNOWN_KEY = 3719404614

# Few letters and short texts: duplicates of every kind come by themselves.
few_texts = st.lists(st.text(alphabet="ab c", max_size=12), max_size=12)
FILLINGS = ("river", "market town", "old harbour", "tower", "salt mine", "町", "雪まつり")


@st.composite
def templated(draw: st.DrawFn) -> list[str]:
    """More texts from one template than a bucket's window, of any similarity to each other."""
    filling = st.sampled_from(FILLINGS)
    slots = st.tuples(filling, filling, filling)
    return [
        f"Tell me all about the {one} and how the {two} came to be beside the {three}, please."
        for one, two, three in draw(st.lists(slots, min_size=20, max_size=60))
    ]


texts_strategy = few_texts | templated()
thresholds = st.sampled_from([0.3, 0.5, 0.7, 0.75, 0.8, 0.9, 1.0])
ranks = st.sampled_from([None, *RANKS.values()])
checked = settings(max_examples=25)


def records_of(texts: list[str]) -> list[Record]:
    """Records whose query is the text and whose positives hardly differ."""
    return [record(text, "p" + text[:6] + "q") for text in texts]


@checked
@given(texts_strategy, thresholds, ranks)
def test_kept_and_dropped_are_the_input(
    texts: list[str], threshold: float, rank: Callable[[Record], float] | None
) -> None:
    """Nothing disappears, both come in order, and every chain of partners ends at what stays."""
    result = deduplicate(records_of(texts), near_threshold=threshold, rank=rank)
    dropped = [drop.index for drop in result.dropped]
    assert sorted([*result.kept, *dropped]) == list(range(len(texts)))
    assert list(result.kept) == sorted(result.kept)
    assert dropped == sorted(dropped)
    assert all(threshold <= drop.score <= 1 for drop in result.dropped)
    partner_of = {drop.index: drop.partner for drop in result.dropped}
    for drop in result.dropped:
        at = drop.index
        while at in partner_of:
            at = partner_of[at]
        assert at == drop.stays
        assert at in result.kept


@checked
@given(texts_strategy, thresholds, ranks)
def test_deduplication_is_idempotent(
    texts: list[str], threshold: float, rank: Callable[[Record], float] | None
) -> None:
    """Of what was kept nothing goes the second time, from crowded buckets neither."""
    records = records_of(texts)
    kept = [records[i] for i in deduplicate(records, near_threshold=threshold, rank=rank).kept]
    assert deduplicate(kept, near_threshold=threshold, rank=rank).dropped == ()


@checked
@given(texts_strategy, thresholds, st.integers(0, 60))
def test_a_prefix_gives_a_prefix(texts: list[str], threshold: float, length: int) -> None:
    """More records never change what became of the earlier ones."""
    records = records_of(texts)
    whole = deduplicate(records, near_threshold=threshold)
    prefix = deduplicate(records[:length], near_threshold=threshold)
    assert prefix.kept == tuple(i for i in whole.kept if i < length)
    assert prefix.dropped == tuple(drop for drop in whole.dropped if drop.index < length)


@checked
@given(texts_strategy, st.integers(0, 60))
def test_what_is_known_of_a_prefix_changes_nothing(texts: list[str], length: int) -> None:
    """Compared in two steps is compared at once, partner by partner and score by score."""
    records, measures = records_of(texts), Measures(floors={"record_near": 0.5})
    known = compare(records[:length], measures)
    stepwise = compare(records, measures, known=known)
    at_once = compare(records, measures)
    assert stepwise.partners.tolist() == at_once.partners.tolist()
    near = stepwise.similar["record_near"]
    assert near.partners.tolist() == at_once.similar["record_near"].partners.tolist()
    assert near.scores.tolist() == at_once.similar["record_near"].scores.tolist()


@checked
@given(texts_strategy, ranks)
def test_a_higher_threshold_never_drops_more(
    texts: list[str], rank: Callable[[Record], float] | None
) -> None:
    """What a threshold keeps, every higher one keeps as well."""
    records = records_of(texts)
    kept = [
        set(deduplicate(records, near_threshold=threshold, rank=rank).kept)
        for threshold in (0.7, 0.75, 0.8, 0.9, 1.0)
    ]
    assert all(lower <= higher for lower, higher in itertools.pairwise(kept))


@checked
@given(texts_strategy)
def test_the_best_stays(texts: list[str]) -> None:
    """With a rank no record goes for one of a lower rank, and exact duplicates neither."""
    records = records_of(texts)
    result = deduplicate(records, rank=longest)
    for drop in result.dropped:
        assert longest(records[drop.stays]) >= longest(records[drop.index])


@checked
@given(texts_strategy)
def test_pairs_join_all_that_are_equal(texts: list[str]) -> None:
    """At threshold 1.0 the groups are those of equal sets of 5-grams; pairs come in order."""
    sets = [tuple(shingles(text).tolist()) for text in texts]
    first = {own: index for index, own in reversed(list(enumerate(sets))) if own}
    groups = Groups(len(texts))
    pairs = list(similar_pairs(texts, 1.0))
    for i, j, score in pairs:
        assert (sets[i], score) == (sets[j], 1.0)
        groups.join(i, j)
    assert [j for _, j, _ in pairs] == sorted(j for _, j, _ in pairs)
    for index, own in enumerate(sets):
        assert groups.root(index) == first.get(own, index)


def crowd(count: int) -> list[Record]:
    """Records from one template, of all similarities between 0.6 and 1."""
    rng, known = random.Random(7), vocabulary()
    frame = [" ".join(rng.sample(known, 6)) for _ in range(4)]
    fillings = [[" ".join(rng.sample(known, 2)) for _ in range(9)] for _ in frame]
    return [
        record(
            f"q{number}",
            " ".join(f"{a} {rng.choice(b)}" for a, b in zip(frame, fillings, strict=True)),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("threshold", [0.7, 0.75, 0.8, 0.85, 0.9])
def test_what_a_crowded_bucket_hides_it_hides_again(
    monkeypatch: pytest.MonkeyPatch, threshold: float
) -> None:
    """With windows far too small some pairs are missed, and a second pass misses them too."""
    monkeypatch.setattr(buckets, "WINDOW", 1)
    monkeypatch.setattr(near, "READ", 1)
    records = crowd(150)
    kept = [records[i] for i in deduplicate(records, near_threshold=threshold).kept]
    assert len(kept) < len(records)
    assert deduplicate(kept, near_threshold=threshold).dropped == ()


def test_crowded_buckets_find_what_is_similar() -> None:
    """Of the records that resemble an earlier one 0.03 above the threshold 95 % are found."""
    records = crowd(200)
    sets = [shingles(f"{one.query}\n{one.positives[0].text}") for one in records]
    dropped = {drop.index for drop in deduplicate(records).dropped}
    wanted = {
        later
        for later, own in enumerate(sets)
        if any(jaccard(own, earlier) >= 0.83 for earlier in sets[:later])
    }
    assert len(wanted) > 50
    assert len(wanted & dropped) >= 0.95 * len(wanted)
