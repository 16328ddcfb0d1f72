"""Vectors of many texts on disk: written as they are made, read by blocks, resumed after a kill.

The folder holds `vectors.bin` (rows one after another) and `vectors.json` (model, dimensions,
precision, rows wanted). Rows that are whole count as done; a torn one is made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from generator.encoders.base import Encoder, Kind
from generator.encoders.embedding import ENCODED_AT_ONCE, Progress, embed
from generator.recordfile import disk_error, write_whole

Precision = Literal["float16", "float32"]


@dataclass(frozen=True, slots=True)
class JoinedVectors:
    """Two files as one: the rows of `first`, then those of `second`."""

    first: VectorFile
    second: VectorFile

    def rows(self, indices: NDArray[np.integer]) -> NDArray[np.float32]:
        """Some vectors [indices, dim], float32."""
        found = np.empty((len(indices), self.first.shape[1]), dtype=np.float32)
        later = np.asarray(indices) >= len(self.first)
        found[~later] = self.first.rows(indices[~later])
        if later.any():
            found[later] = self.second.rows(indices[later] - len(self.first))
        return found


class Texts(Protocol):
    """Texts that are read by slices, such as a list, or a file by lines."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class VectorFile:
    """Vectors [rows, dim] in a file. Slices and rows are read from disk, and nothing stays mapped.

    A mapped file would count as memory of the process; a read block is given back.
    """

    path: Path
    shape: tuple[int, int]
    precision: Precision

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.floating]:
        """The vectors of a slice without a step, [rows, dim], in the precision of the file."""
        start, stop, _ = rows.indices(self.shape[0])
        dtype, dim = np.dtype(self.precision), self.shape[1]
        count = max(0, stop - start) * dim
        offset = start * dim * dtype.itemsize
        found = np.fromfile(self.path, dtype=dtype, count=count, offset=offset)
        return found.reshape(-1, dim)

    def rows(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        """Some vectors [indices, dim], float32."""
        mapped = np.asarray(np.memmap(self.path, self.precision, mode="r", shape=self.shape))
        return mapped[indices].astype(np.float32, copy=False)


def embed_to_disk(
    encoder: Encoder,
    texts: Texts,
    folder: Path,
    *,
    key: str,
    kind: Kind = "document",
    precision: Precision = "float32",
    progress: Progress | None = None,
) -> VectorFile:
    """The vectors of the texts, encoded unless `folder` has them under the same `key`.

    `texts` are read by slices; `key` stands for them and for the model. Raises RunError where the
    file cannot be written, LLMError as `embed`.
    """
    path, meta = folder / "vectors.bin", folder / "vectors.json"
    if not len(texts):
        return VectorFile(path, (0, 0), precision)
    wanted = {"key": key, "rows": len(texts), "precision": precision}
    known = _read(meta)
    if {name: known.get(name) for name in wanted} != wanted:
        known = {}
        path.unlink(missing_ok=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for start, vectors in _encoded(encoder, texts, path, known, kind, progress):
            if not known:
                known = {**wanted, "dim": vectors.shape[1]}
                with write_whole(meta) as file:
                    json.dump(known, file)
            _write(path, start, vectors.astype(precision))
    except OSError as exc:
        raise disk_error(exc, folder) from exc
    return VectorFile(path, (len(texts), int(str(known["dim"]))), precision)


def _encoded(
    encoder: Encoder, texts: Texts, path: Path, known: dict[str, object], kind: Kind,
    progress: Progress | None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:  # fmt: skip
    """Start and vectors of each block that is not on disk."""
    done = 0
    if known:
        row_bytes = int(str(known["dim"])) * np.dtype(str(known["precision"])).itemsize
        with suppress(FileNotFoundError):
            done = path.stat().st_size // row_bytes
    for start in range(done, len(texts), ENCODED_AT_ONCE):
        block = texts[start : start + ENCODED_AT_ONCE]
        yield start, embed(encoder, block, kind)
        if progress is not None:
            what = "queries" if kind == "query" else "passages"
            progress(what, start + len(block), len(texts))


def _write(path: Path, start: int, vectors: NDArray[np.floating]) -> None:
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(start * vectors.shape[1] * vectors.itemsize)  # a torn row, or nothing
        file.seek(0, os.SEEK_END)
        vectors.tofile(file)


def _read(path: Path) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
