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
from generator.models import fingerprint, open_encoder, remembered
from generator.recordfile import RecordFile
from generator.records import Record, content_id
from generator.refine.measures import Background, Floats, Measures
from generator.refineconfig import RefineConfig
from generator.search.bm25 import BM25
from generator.search.exact import exact_search, is_gpu
from generator.search.pool import Pool, PoolPart

MEASURED_AT_ONCE = 1024  # records; a kill costs one such block at most
BACKGROUND = 1000  # texts of the pool that tell what a score without meaning looks like
RIVALS = 20  # the best other texts of each record that are kept, for a judge
NEAR = 0.8  # Jaccard from which a text of the pool is the positive again

_FAR = 1e9

Vectors = NDArray[np.float32]
Places = NDArray[np.int64]


def encoder_key(config: RefineConfig) -> str:
    """What tells the encoder, and how it is asked, from others."""
    prompts = (str(config.query_prompt), str(config.document_prompt), str(config.base_url))
    return content_id(fingerprint(config.encoder or ""), *prompts)


@dataclass(frozen=True, slots=True, eq=False)
class Measurer:
    """An encoder, the vectors of a pool, and BM25 over it. Make it with `open_measurer`.

    `background` [texts, dim] are vectors of texts drawn from the pool.
    """

    encoder: Encoder
    pool: Pool
    corpus: VectorFile
    vectors: JoinedVectors
    background: Vectors
    bm25: BM25 | None
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
        depth = min(self.config.depth + extra, self.pool.searchable)
        hits = exact_search(queries, self.corpus, depth, device=self.config.device)
        rows = zip(records, queries, forbidden, strict=True)
        return [
            self._of(_Asked(record, query, excluded, self._lexical(record)), hits.row(row)[0])
            for row, (record, query, excluded) in enumerate(rows)
        ]

    def _lexical(self, record: Record) -> NDArray[np.float64]:
        """The lexical part of every text of the pool, known ones included.

        Symmetric records have none: any two of their texts may share words, and translations none.
        """
        if self.bm25 is None or record.symmetric:
            return np.zeros(len(self.pool))
        scores = np.maximum(self.bm25.scores(record.query).astype(np.float64), 0)
        best = scores.max(initial=0)
        found: NDArray[np.float64] = self.config.lexical * scores / best if best else scores
        return found

    def _of(self, asked: _Asked, hits: Places) -> Measures:
        record, query = asked.record, asked.query
        background = Background.of(self.background @ query)

        def scored(places: Places) -> tuple[Floats, Floats]:
            cosines = (self.vectors.rows(places) @ query).astype(np.float64)
            return cosines, background.evidence(cosines, asked.lexical[places])

        places = [
            self.pool.find(item.text for item in items)
            for items in (record.positives, record.negatives)
        ]
        (positives, evidence), (negatives, against) = map(scored, places)
        rivals = self._candidates(asked, hits)
        rival_cosines, rival_evidence = scored(rivals)
        order = np.argsort(-rival_evidence, kind="stable")
        lowest = float(evidence.min(initial=np.inf))
        kept = self._rivals(asked, rivals[order], rival_evidence[order] > lowest)
        rivals, before = rivals[order][kept], rival_evidence[order][kept]
        own, other = (self.vectors.rows(place) for place in places)
        return Measures(
            positives=positives,
            negatives=negatives,
            positive_evidence=evidence,
            negative_evidence=against,
            ranks=np.array([(before > least).sum() for least in evidence], dtype=np.int64),
            best=float(max(before.max(initial=-np.inf), evidence.max(initial=-_FAR))),
            mean=background.mean,
            spread=background.spread,
            alike=(other @ own.T).max(axis=1, initial=-1.0).astype(np.float64),
            text_mean=float((own @ self.background.T).mean()) if len(own) else 0.0,
            rivals=rivals[:RIVALS],
            rival_scores=rival_cosines[order][kept][:RIVALS],
        )

    def _candidates(self, asked: _Asked, hits: Places) -> Places:
        """The first texts of the pool by cosine, and those by words, in order of place."""
        words = asked.lexical[: self.pool.searchable]
        depth = min(len(hits), int(np.count_nonzero(words)))
        if not depth:
            return np.sort(hits)
        found: Places = np.union1d(hits, np.argpartition(-words, depth - 1)[:depth])
        return found

    def _rivals(self, asked: _Asked, places: Places, before: NDArray[np.bool_]) -> Places:
        """Which of the texts are neither a positive, nor nearly one, nor another's answer."""
        excluded = asked.excluded.of_candidates(self.pool, places)
        is_rival = np.array([not reason for reason in excluded], dtype=np.bool_)
        near = NearPositive(asked.record, NEAR)
        # Texts are only compared where it matters: before the positive, or among the first.
        first = np.arange(len(places)) < RIVALS
        for rank in np.flatnonzero(is_rival & (before | first)).tolist():
            is_rival[rank] = not near(self.pool.text(int(places[rank])))
        return np.flatnonzero(is_rival)[: self.config.depth]


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A record with its query's vector, what cannot count against it, and `lexical` [pool]."""

    record: Record
    query: Vectors
    excluded: Exclusions
    lexical: NDArray[np.float64]


def open_measurer(
    config: RefineConfig, pool: Pool, keys: tuple[str, str], work: Path, tell: Progress,
    vectors: Path | None = None,
) -> Measurer:  # fmt: skip
    """Open the encoder, encode the pool. `keys` stand for corpus and records. Raises UserError.

    `vectors`: where what the records hold is remembered by text, whatever the others are.
    """
    assert config.encoder is not None  # noqa: S101 - who measures has one
    is_gpu(config.device)  # tells now where there is none, not after hours of encoding
    prompts = Prompts(config.query_prompt, config.document_prompt)
    bare = open_encoder(config.encoder, prompts=prompts, base_url=config.base_url)
    asked = (config.query_prompt, config.document_prompt, config.base_url)
    encoder = remembered(bare, vectors, config.encoder, *asked)
    corpus_key, records_key = keys
    model = encoder_key(config)

    def embedded(by: Encoder, texts: PoolPart, name: str, key: str) -> VectorFile:
        return embed_to_disk(
            by, texts, work / name, key=content_id(key, model), precision=config.precision,
            progress=tell,
        )  # fmt: skip

    searchable = pool.searchable
    by = bare if config.corpus else encoder  # a corpus does not change from one time to another
    corpus = embedded(by, pool.part(0, searchable), "vectors", corpus_key)
    # Apart from the corpus, which need not be encoded again for new records.
    own = content_id(corpus_key, records_key)
    rest = embedded(encoder, pool.part(searchable, len(pool)), "own-vectors", own)
    step = max(1, searchable // BACKGROUND)
    measuring = config.model_dump_json(include=set(config.measuring))
    return Measurer(
        encoder=encoder,
        pool=pool,
        corpus=corpus,
        vectors=JoinedVectors(corpus, rest),
        background=corpus.rows(np.arange(0, searchable, step)),
        bm25=BM25(pool, language=config.language) if config.lexical else None,
        config=config,
        key=content_id(own, model, measuring),
    )
