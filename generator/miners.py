"""The source, the encoder and the teacher that a `mine` configuration names, opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generator.encoders import Encoder, Prompts, embed
from generator.encoders.partial import PartialVectors
from generator.encoders.remembered import RememberedEncoder
from generator.encoders.trained import TrainedEncoder
from generator.encoders.vectors import JoinedVectors, VectorFile, embed_to_disk
from generator.errors import ConfigError
from generator.llm.budget import Budget
from generator.mine.sources import (
    Asked,
    BM25Source,
    DenseSource,
    HybridSource,
    RandomSource,
    Source,
)
from generator.mine.teachers import EncoderTeacher, PairTeacher, Places, Scores, Teacher
from generator.mineconfig import LLM_TEACHER, MineConfig
from generator.modelconfig import ModelConfig
from generator.models import fingerprint, open_encoder, remembered
from generator.records import Record, content_id
from generator.runs import JUDGED
from generator.search.exact import is_gpu
from generator.search.pool import Pool, PoolPart

CROSS_ENCODER = "cross-encoder:"
_SEARCH_KEYS = {"rank_max", "source", "language", "seed", "precision", "ann", "use_task"}

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Miner:
    """What finds candidates and what scores them. Make it with `make_miner`."""

    config: MineConfig
    source: Source
    teacher: Teacher | None
    inputs: str
    embed_queries: Callable[[Sequence[Record]], NDArray[np.float32]] | None

    @property
    def search_is_teacher(self) -> bool:
        """Whether the search's scores are the teacher's: exact, and by the same encoder."""
        config = self.config
        own = config.teacher in {None, config.encoder} and config.source_name == "dense"
        return own and config.ann is None

    @property
    def teacher_name(self) -> str:
        """What scores are signed with; empty without a teacher."""
        return self.teacher.name if self.teacher else ""

    def key(self) -> str:
        """A key of all that candidates and their scores depend on."""
        keys = self.config.model_dump_json(include=_SEARCH_KEYS | {"keep_written"})
        return content_id(keys, self.inputs)

    def ask(self, records: Sequence[Record]) -> Asked:
        """A block of records, their queries encoded where the source needs it."""
        return Asked(records, self.embed_queries(records) if self.embed_queries else None)

    def score(self, asked: Asked, places: Sequence[Places]) -> list[Scores]:
        """The teacher's scores, or NaN without one."""
        if self.teacher is None:
            return [np.full(len(own), np.nan) for own in places]
        return self.teacher.score(asked, places)


def make_miner(
    config: MineConfig,
    pool: Pool,
    keys: tuple[str, str],
    work: Path,
    llm: ModelConfig | None,
    progress: Progress,
    vectors: Path | None = None,
    budget: Budget | None = None,
) -> Miner:
    """Open what the configuration names, and encode what must be. Raises UserError.

    `keys` stand for the corpus and for the records. `vectors`: where what the records hold is
    remembered by text, whatever the others are. `budget` counts what an LLM is asked.
    """
    opener = _Opener(config, pool, keys, work, progress, vectors)
    # A teacher that is not there is told before hours of encoding, not after them.
    apart = config.teacher_name != config.encoder
    teacher = opener.teacher(llm, budget) if apart else None
    source = opener.source()
    teacher = teacher or opener.teacher(llm, budget)
    return Miner(config, source, teacher, opener.inputs(), opener.embed_queries())


def models_key(config: MineConfig) -> str:
    """What tells the models of a configuration, and how they are asked, from others."""
    names = [config.encoder or "", (config.teacher or "").removeprefix(CROSS_ENCODER)]
    prompts = (str(config.query_prompt), str(config.document_prompt))
    return content_id(*map(fingerprint, names), config.teacher or "", *prompts)


class _Opener:
    def __init__(
        self, config: MineConfig, pool: Pool, keys: tuple[str, str], work: Path, progress: Progress,
        remembered_in: Path | None,
    ) -> None:  # fmt: skip
        self._remembered_in = remembered_in
        self._config, self._pool = config, pool
        self._key, self._records = keys
        self._work, self._progress = work, progress
        self._encoder: Encoder | None = None
        self._vectors: JoinedVectors | None = None

    def inputs(self) -> str:
        """A key of models, corpus and records."""
        return content_id(self._key, self._records, models_key(self._config))

    def source(self) -> Source:
        name, config = self._config.source_name, self._config
        if name == "random":
            return RandomSource(self._pool.searchable, config.seed)
        if name == "bm25":
            return self._bm25()
        if name == "dense":
            return self._dense()
        return HybridSource(self._bm25(), self._dense())

    def _bm25(self) -> BM25Source:
        indexing = partial(self._progress, "indexed")
        return BM25Source(self._pool, self._config.language, progress=indexing)

    def _dense(self) -> DenseSource:
        assert self._config.encoder is not None  # noqa: S101 - MineConfig holds to it
        is_gpu(self._config.device)  # tells now where there is none
        bare = self._open(self._config.encoder)
        encoder = self._remembered(bare, self._config.encoder)
        searchable, total = self._pool.searchable, len(self._pool)
        by = bare if self._config.corpus else encoder  # a corpus does not change
        corpus = self._embedded(by, self._pool.part(0, searchable), "vectors", self._key)
        # Apart from the corpus, which need not be encoded again for new records.
        own = content_id(self._key, self._records)
        rest = self._embedded(encoder, self._pool.part(searchable, total), "own-vectors", own)
        self._encoder, self._vectors = encoder, JoinedVectors(corpus, rest)
        searching = partial(self._progress, "passages")
        return DenseSource(
            corpus, device=self._config.device, ann=self._config.ann, progress=searching
        )

    def _embedded(self, encoder: Encoder, texts: PoolPart, name: str, key: str) -> VectorFile:
        model = fingerprint(str(self._config.encoder)) + str(self._config.document_prompt)
        return embed_to_disk(
            encoder, texts, self._work / name, key=content_id(key, model),
            precision=self._config.precision, progress=self._progress,
        )  # fmt: skip

    def embed_queries(self) -> Callable[[Sequence[Record]], NDArray[np.float32]] | None:
        if self._encoder is None:
            return None
        return partial(embed_queries, self._encoder, self._config.use_task, progress=self._progress)

    def teacher(self, llm: ModelConfig | None, budget: Budget | None) -> Teacher | None:
        name = self._config.teacher_name
        if name is None:
            return None
        if name == LLM_TEACHER:
            return self._judge(llm, budget)
        if name.startswith(CROSS_ENCODER):
            from generator.encoders.cross import CrossEncoder  # noqa: PLC0415 - loads torch

            model = CrossEncoder(name.removeprefix(CROSS_ENCODER))
            return PairTeacher(model.name, self._pool, model.score_pairs)
        return self._encoder_teacher(name)

    def _encoder_teacher(self, name: str) -> Teacher:
        if name == self._config.encoder and self._encoder and self._vectors:
            encoder, vectors = self._encoder, self._vectors
            return EncoderTeacher(encoder.name, vectors, _own_vectors)
        encoder = self._remembered(self._open(name), name)
        key = content_id(
            self._key, self._records, fingerprint(name), str(self._config.document_prompt)
        )
        partly = PartialVectors(
            encoder, self._pool.text, len(self._pool), self._work / "teacher", key=key
        )
        ask = partial(embed_queries, encoder, self._config.use_task)
        return EncoderTeacher(encoder.name, partly, lambda asked: ask(asked.records))

    def _judge(self, llm: ModelConfig | None, budget: Budget | None) -> Teacher:
        from generator.judging import Judge  # noqa: PLC0415 - loads the back ends
        from generator.llm.backends import open_llm  # noqa: PLC0415 - as above

        if llm is None:
            raise ConfigError("no LLM to judge with", hint="--set llm.model=…, llm.backend=…")
        journal = self._work / JUDGED
        judge = Judge(llm, partial(open_llm, llm, journal), journal, budget)
        return PairTeacher(judge.name, self._pool, judge.score_pairs)

    def _open(self, name: str) -> Encoder:
        prompts = Prompts(self._config.query_prompt, self._config.document_prompt)
        return open_encoder(name, prompts=prompts, base_url=self._config.base_url)

    def _remembered(self, encoder: Encoder, name: str) -> Encoder:
        config = self._config
        asked = (config.query_prompt, config.document_prompt, config.base_url)
        return remembered(encoder, self._remembered_in, name, *asked)


def _own_vectors(asked: Asked) -> NDArray[np.float32]:
    assert asked.vectors is not None  # noqa: S101 - this teacher is the source's encoder
    return asked.vectors


def embed_queries(
    encoder: Encoder, use_task: bool | None, records: Sequence[Record],
    progress: Progress | None = None,
) -> NDArray[np.float32]:  # fmt: skip
    """The queries' vectors, each under its own record's instruction where that is wanted."""
    inner = encoder.inner if isinstance(encoder, RememberedEncoder) else encoder
    wanted = isinstance(inner, TrainedEncoder) if use_task is None else use_task
    tasks = [record.task if wanted else None for record in records]
    found: NDArray[np.float32] | None = None
    for task in dict.fromkeys(tasks):
        places = [place for place, own in enumerate(tasks) if own == task]
        asked = [records[place].query for place in places]
        vectors = embed(encoder, asked, "query", task, progress)
        if found is None:
            found = np.empty((len(records), vectors.shape[1]), dtype=np.float32)
        found[places] = vectors
    assert found is not None  # noqa: S101 - a block holds a record at least
    return found
