"""Vectors of some of many texts, encoded when they are first asked for, and kept on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.encoders.base import Encoder
from generator.encoders.embedding import embed
from generator.recordfile import disk_error, write_whole


class PartialVectors:
    """Rows of an encoder by place, as a `VectorFile` has them; a row is encoded once.

    `text_of` reads the text of a place; `key` stands for the texts and the model. Raises RunError
    where the files cannot be written.
    """

    def __init__(
        self, encoder: Encoder, text_of: Callable[[int], str], count: int, folder: Path, *, key: str
    ) -> None:
        self._encoder, self._text_of = encoder, text_of
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._open(folder, count, key)
        except OSError as exc:
            raise disk_error(exc, folder) from exc

    def _open(self, folder: Path, count: int, key: str) -> None:
        meta, known = folder / "vectors.json", folder / "known.bin"
        try:
            found = json.loads(meta.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        if found.get("key") != key:
            dim = embed(self._encoder, [self._text_of(0)], "document").shape[1]
            for name in ("vectors.bin", "known.bin"):
                (folder / name).unlink(missing_ok=True)
            with write_whole(meta) as file:
                json.dump({"key": key, "dim": dim}, file)
            found = {"dim": dim}
        self._vectors, self._places = folder / "vectors.bin", known
        shape = (count, int(found["dim"]))
        _sized(self._vectors, 4 * count * shape[1])
        _sized(known, count)
        self._rows = np.memmap(self._vectors, np.float32, mode="r", shape=shape)
        self._known = np.fromfile(known, dtype=np.bool_)

    @property
    def encoded(self) -> int:
        """How many rows are known."""
        return int(np.count_nonzero(self._known))

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Vectors [indices, dim]; those that are not known yet are encoded first."""
        new = np.unique(indices[~self._known[indices]])
        if new.size:
            texts = [self._text_of(index) for index in new.tolist()]
            vectors = embed(self._encoder, texts, "document")
            try:
                _write(self._vectors, new, vectors)
                _write(self._places, new, np.ones((new.size, 1), dtype=np.bool_))
            except OSError as exc:
                raise disk_error(exc, self._vectors) from exc
            self._known[new] = True  # last: a kill before it costs a second encoding
        return np.asarray(self._rows[indices])


def _sized(path: Path, size: int) -> None:
    """A file of zeros at first, which take no room on disk, then as it was left."""
    with path.open("ab") as file:
        file.truncate(size)


def _write(path: Path, places: NDArray[np.int64], rows: NDArray[Any]) -> None:
    """Rows at their places, through the file: mapped, a full disk would kill the process."""
    with path.open("r+b") as file:
        for place, row in zip(places.tolist(), rows, strict=True):
            file.seek(place * row.nbytes)
            file.write(row.tobytes())
