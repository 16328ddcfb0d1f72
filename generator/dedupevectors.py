"""The vectors that semantic deduplication compares: made once a record, kept beside the run."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generator.dedupe.compare import TEXTS
from generator.dedupe.semantic import SemanticIndex, VectorRows
from generator.dedupeconfig import SemanticConfig
from generator.encoders import Prompts
from generator.encoders.embedding import ENCODED_AT_ONCE
from generator.encoders.partial import PartialVectors
from generator.models import fingerprint, open_encoder
from generator.progress import Watch
from generator.records import Record, content_id
from generator.runs import RunFolder

MARKER = "vectors"


def vectors_key(config: SemanticConfig) -> str:
    """A hash of the model and of what it is shown."""
    return content_id(fingerprint(config.encoder), str(config.prompt), config.field)


def semantic_index(
    config: SemanticConfig, records: Sequence[Record], folder: Path, watch: Watch, key: str = ""
) -> SemanticIndex:
    """The index that a configuration asks for; the encoder is opened when texts must be encoded.

    Vectors that are in the folder under another `key` or model are made again.
    """
    text = TEXTS[config.field]

    def vectors() -> VectorRows:
        encoder = open_encoder(
            config.encoder, prompts=Prompts(document=config.prompt), base_url=config.base_url
        )
        kept = PartialVectors(
            encoder, lambda item: text(records[item]) or "", len(records), folder,
            key=content_id(vectors_key(config), key),
        )  # fmt: skip
        return _Told(kept, watch)

    return SemanticIndex(
        vectors, config.floor, name=config.field, scope=config.scope,
        progress=lambda done, of: watch.status(f"semantic {done:,}/{of:,} records"),
    )  # fmt: skip


class _Told:
    """Rows by parts, so that what is encoded is on disk now and then."""

    def __init__(self, vectors: PartialVectors, watch: Watch) -> None:
        self._vectors, self._watch = vectors, watch

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(indices), ENCODED_AT_ONCE):
            parts.append(self._vectors.rows(indices[start : start + ENCODED_AT_ONCE]))
            self._watch.status(f"semantic: {self._vectors.encoded:,} texts encoded")
        return np.concatenate(parts)


def claim(config: SemanticConfig, run: RunFolder, source: Path) -> Path:
    """The folder of a run's vectors: those of another model, or of other records, go first."""
    folder, key = run.path / "dedupe", vectors_key(config)
    if run.begun(MARKER, key, source) is None:
        shutil.rmtree(folder, ignore_errors=True)
    run.finish(MARKER, key, {}, source)  # rows count one by one: a killed run goes on with them
    return folder


def shorten_vectors(config: SemanticConfig, run: RunFolder, source: Path, items: int) -> None:
    """Forget the vectors of all but the first records, which `source` has been cut to."""
    run.unfinish(MARKER)
    known = run.path / "dedupe" / "known.bin"
    if known.is_file():
        with known.open("r+b") as file:
            file.truncate(items)
    run.finish(MARKER, vectors_key(config), {}, source)
