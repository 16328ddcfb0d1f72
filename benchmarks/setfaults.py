"""Faults that only the rest of a data set, or an evaluation set, can show: planted and looked for.

`near_duplicates`: real records come again with some of their positive's words changed, in another
family, and go through trine's deduplication with the threshold that ships. `contaminated`: records
ask a question of an evaluation set, as it is or changed, and are looked for among clean ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from realrecords import with_texts

from generator.alike import jaccard
from generator.contamination import EvalText, build_index, check
from generator.dedupe import NEAR_THRESHOLD, deduplicate
from generator.records import Record
from generator.shingles import shingle_set
from generator.text import unspaced_share

MARGIN = 0.03
SHARES = (0.003, 0.01, 0.02, 0.03, 0.05)  # of the words, changed


class Found(NamedTuple):
    """How many were planted, and recall and precision, 0 to 1."""

    planted: int
    recall: float
    precision: float


def near_duplicates(records: Sequence[Record], count: int, seed: int) -> Found:
    """Recall of copies with a Jaccard similarity of the threshold + 0.03 or more.

    Precision: of all that went as near-duplicates, those whose partner reaches the threshold by
    exact similarity of query and positive.
    """
    rng = random.Random(seed)
    sources = rng.sample(range(len(records)), min(count, len(records)))
    copies = [_edited(records[at], rng) for at in sources]
    everything = [*records, *copies]
    result = deduplicate(everything)
    dropped = {drop.index: drop for drop in result.dropped}
    similar = [_similarity(records[at], copy) for at, copy in zip(sources, copies, strict=True)]
    wanted = [n for n, score in enumerate(similar) if score >= NEAR_THRESHOLD + MARGIN]
    found = sum(len(records) + n in dropped for n in wanted)
    near = [drop for drop in result.dropped if drop.reason == "record_near_duplicate"]
    right = sum(
        _similarity(everything[drop.index], everything[drop.partner]) >= NEAR_THRESHOLD
        for drop in near
    )
    return Found(len(wanted), found / max(1, len(wanted)), right / max(1, len(near)))


def contaminated(records: Sequence[Record], test: Sequence[Record], count: int, seed: int) -> Found:
    """Recall of records that ask a test question; precision among them and as many clean ones.

    The evaluation set is the questions of `test`, records of other articles.
    """
    rng = random.Random(seed)
    asked = sorted({record.query for record in test})
    index = build_index(EvalText("test", "query", str(n), text) for n, text in enumerate(asked))
    count = min(count, len(records), len(asked))
    questions, hosts = rng.sample(asked, count), rng.sample(records, count)
    planted = [
        with_texts(host, query=_changed(question, rng))
        for host, question in zip(hosts, questions, strict=True)
    ]
    hits = [bool(found) for _, found in check([*planted, *hosts], index)]
    true, false = sum(hits[:count]), sum(hits[count:])
    return Found(count, true / max(1, count), true / max(1, true + false))


def _edited(record: Record, rng: random.Random) -> Record:
    """The record in another family, words of its positive in other words' places."""
    text = record.positives[0].text
    gap = "" if unspaced_share(text) > 1 / 3 else " "
    words = text.split(" ") if gap else list(text)
    share = rng.choice(SHARES)
    changed = [rng.choice(words) if rng.random() < share else word for word in words]
    return replace(with_texts(record, positive=gap.join(changed)), family=f"{record.family}-copy")


def _similarity(one: Record, other: Record) -> float:
    texts = (f"{record.query}\n{record.positives[0].text}" for record in (one, other))
    return jaccard(*(shingle_set(text, "characters") for text in texts))


def _changed(question: str, rng: random.Random) -> str:
    """As it is, or in another case, with other punctuation and spaces."""
    forms = [question, f"  {question.upper().rstrip('?？。')} !", question.rstrip("?？。 ").lower()]
    return rng.choice(forms)
