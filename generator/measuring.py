"""Records × pool × encoder → measures, block by block on disk: what of `refine` encodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generator.encoders import Encoder, Progress, Prompts
from generator.encoders.vectors import JoinedVectors, VectorFile, embed_to_disk
from generator.linefile import LineFile
from generator.mine.exclude import Exclusions, NearPositive
from generator.miners import embed_queries
from generator.models import fingerprint, open_encoder
from generator.recordfile import RecordFile
from generator.records import Record, content_id
from generator.refine.measures import Measures
from generator.refineconfig import RefineConfig
from generator.search.exact import exact_search
from generator.search.pool import Pool, PoolPart

MEASURED_AT_ONCE = 1024  # records; a kill costs one such block at most
BACKGROUND = 1000  # texts of the pool that tell what a score without meaning looks like
RIVALS = 20  # the best other texts of each record that are kept, for a judge
NEAR = 0.8  # Jaccard from which a text of the pool is the positive again

Vectors = NDArray[np.float32]


def encoder_key(config: RefineConfig) -> str:
    """What tells the encoder, and how it is asked, from others."""
    prompts = (str(config.query_prompt), str(config.document_prompt), str(config.base_url))
    return content_id(fingerprint(config.encoder or ""), *prompts)


@dataclass(frozen=True, slots=True, eq=False)
class Measurer:
    """An encoder and the vectors of a pool. Make it with `open_measurer`."""

    encoder: Encoder
    pool: Pool
    corpus: VectorFile
    vectors: JoinedVectors
    background: Vectors
    config: RefineConfig
    key: str

    def measured(
        self, records: RecordFile, answered: dict[int, set[int]], work: Path, tell: Progress
    ) -> LineFile[Measures]:
        """The measures of all records, on disk under `work`; those that are known are kept."""
        found = LineFile(work, "measures", self.key, Measures.from_json)
        while found.count < len(records):
            block = records[found.count : found.count + MEASURED_AT_ONCE]
            found.append(self._measures(block, answered))
            tell("records", found.count, len(records))
        return found

    def _measures(self, records: Sequence[Record], answered: dict[int, set[int]]) -> list[Measures]:
        queries = embed_queries(self.encoder, self.config.use_task, records)
        forbidden = [Exclusions.of(record, answered, keep_written=False) for record in records]
        extra = max(len(exclusions.reasons) for exclusions in forbidden)
        k = min(self.config.depth + extra, self.pool.searchable)
        hits = exact_search(queries, self.corpus, k, device=self.config.device)
        background = queries @ self.background.T
        rows = zip(records, queries, forbidden, background, strict=True)
        return [
            self._of(record, query, excluded, scores.astype(np.float64), hits.row(row))
            for row, (record, query, excluded, scores) in enumerate(rows)
        ]

    def _of(
        self, record: Record, query: Vectors, excluded: Exclusions,
        background: NDArray[np.float64], hits: tuple[NDArray[np.int64], Vectors],
    ) -> Measures:  # fmt: skip
        positives = self._rows([positive.text for positive in record.positives])
        negatives = self._rows([negative.text for negative in record.negatives])
        own = (positives @ query).astype(np.float64)
        rivals, scores = self._rivals(record, excluded, hits, float(own.min(initial=2.0)))
        return Measures(
            positives=own,
            negatives=(negatives @ query).astype(np.float64),
            ranks=np.array([(scores > score).sum() for score in own], dtype=np.int64),
            alike=(negatives @ positives.T).max(axis=1, initial=-1.0).astype(np.float64),
            rivals=rivals[:RIVALS],
            rival_scores=scores[:RIVALS],
            best=max(float(own.max(initial=-1.0)), float(scores.max(initial=-1.0))),
            mean=float(background.mean()),
            spread=float(background.std()),
            text_mean=float((positives @ self.background.T).mean()) if len(own) else 0.0,
        )

    def _rows(self, texts: Sequence[str]) -> Vectors:
        return self.vectors.rows(self.pool.find(texts))

    def _rivals(
        self, record: Record, excluded: Exclusions,
        hits: tuple[NDArray[np.int64], Vectors], lowest: float,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:  # fmt: skip
        """The hits that are neither a positive, nor nearly one, nor an answer of another record."""
        places, scores = hits
        is_own = np.array([bool(why) for why in excluded.of_candidates(self.pool, places)], bool)
        near = NearPositive(record, NEAR)
        # Texts are only compared where it matters: before the positive, or among the first.
        for rank in np.flatnonzero(~is_own & ((scores > lowest) | _first(places))).tolist():
            is_own[rank] = near(self.pool.text(int(places[rank])))
        kept = ~is_own
        depth = self.config.depth
        return places[kept][:depth], scores[kept][:depth].astype(np.float64)


def _first(places: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.arange(len(places)) < RIVALS


def open_measurer(
    config: RefineConfig, pool: Pool, keys: tuple[str, str], work: Path, tell: Progress
) -> Measurer:
    """Open the encoder, encode the pool. `keys` stand for corpus and records. Raises UserError."""
    assert config.encoder is not None  # noqa: S101 - who measures has one
    prompts = Prompts(config.query_prompt, config.document_prompt)
    encoder = open_encoder(config.encoder, prompts=prompts, base_url=config.base_url)
    corpus_key, records_key = keys
    model = encoder_key(config)

    def embedded(texts: PoolPart, name: str, key: str) -> VectorFile:
        return embed_to_disk(
            encoder, texts, work / name, key=content_id(key, model), precision=config.precision,
            progress=tell,
        )  # fmt: skip

    searchable = pool.searchable
    corpus = embedded(pool.part(0, searchable), "vectors", corpus_key)
    # Apart from the corpus, which need not be encoded again for new records.
    own = content_id(corpus_key, records_key)
    rest = embedded(pool.part(searchable, len(pool)), "own-vectors", own)
    step = max(1, searchable // BACKGROUND)
    measuring = config.model_dump_json(include=set(config.measuring))
    return Measurer(
        encoder=encoder,
        pool=pool,
        corpus=corpus,
        vectors=JoinedVectors(corpus, rest),
        background=corpus.rows(np.arange(0, searchable, step)),
        config=config,
        key=content_id(own, model, measuring),
    )
