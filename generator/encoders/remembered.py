"""An encoder that encodes no text twice: its vectors stay on disk, by text.

    FOLDER/vectors.bin     float32 rows, one after another
    FOLDER/texts.bin       16 bytes a row: a hash of side, instruction and text; before the first
                           row how many numbers a vector has

What is encoded at once is remembered at once or, after a kill, not at all: so a text's vector is
the same bits whatever texts it is asked for with later. Memory is some 150 bytes a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from generator.encoders.base import Encoder, Kind, Vectors
from generator.recordfile import disk_error

_HASH_BYTES = 16


class RememberedEncoder:
    """The same as `inner`; `folder` belongs to it and its prompts alone.

    Raises RunError where the files cannot be written.
    """

    def __init__(self, inner: Encoder, folder: Path) -> None:
        self.inner, self.name = inner, inner.name
        self._vectors, self._texts = folder / "vectors.bin", folder / "texts.bin"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._texts.touch()
            known = self._texts.read_bytes()
        except OSError as exc:
            raise disk_error(exc, folder) from exc
        self._dim = int.from_bytes(known[:_HASH_BYTES], "big")
        ends = range(_HASH_BYTES, len(known) - _HASH_BYTES + 1, _HASH_BYTES)
        self._rows = {known[at : at + _HASH_BYTES]: row for row, at in enumerate(ends)}

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
        """As `Encoder.encode`; those that are not known are encoded, together."""
        hashes = [_hash(kind, task, text) for text in texts]
        named = dict(zip(hashes, texts, strict=True))
        new = {hashed: text for hashed, text in named.items() if hashed not in self._rows}
        if new or not texts:
            vectors = self.inner.encode(list(new.values()), kind=kind, task=task)
            if not texts:
                return vectors
            self._remember(list(new), np.asarray(vectors, dtype=np.float32))
        shape = (len(self._rows), self._dim)
        known = np.memmap(self._vectors, np.float32, mode="r", shape=shape)
        return np.asarray(known[[self._rows[hashed] for hashed in hashes]])

    def _remember(self, hashes: list[bytes], vectors: Vectors) -> None:
        """Put vectors on disk, then what they are of; a torn end of either is written over."""
        count, self._dim = len(self._rows), vectors.shape[1]
        head = b"" if count else self._dim.to_bytes(_HASH_BYTES, "big")
        try:
            _write(self._vectors, count * self._dim * vectors.itemsize, vectors.tobytes())
            start = (count + 1) * _HASH_BYTES - len(head)
            _write(self._texts, start, head + b"".join(hashes))
        except OSError as exc:
            raise disk_error(exc, self._vectors) from exc
        self._rows |= {hashed: count + row for row, hashed in enumerate(hashes)}


def _write(path: Path, start: int, content: bytes) -> None:
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.seek(start)
        file.write(content)
        file.truncate()


def _hash(kind: Kind, task: str | None, text: str) -> bytes:
    parts = f"{kind}\0{'' if task is None else 't' + task}\0{text}"
    return blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
