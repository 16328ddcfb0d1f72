"""Texts to mine in, on disk: read once from a corpus, then by position.

A folder with the texts (`texts.jsonl`) and, memory-mapped, where each begins, its content id and
three keys by which it is recognised: its normal form, that of its text without the title, and the
id that its corpus gives it. Some 70 bytes of memory a text, and as many again while
it is written.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from generator.recordfile import disk_error, write_whole
from generator.records import content_id
from generator.search.passages import Passage
from generator.text import normalise

KEY_BYTES = 8
_ID_BYTES = 16


def text_key(text: str) -> int:
    """A 64-bit key of a text's normal form (of a million texts, two share one by chance: 3e-8)."""
    return _hashed("text", normalise(text))


def passage_key(name: str) -> int:
    """A 64-bit key of the id that a corpus gives a passage."""
    return _hashed("id", name)


def _hashed(kind: str, value: str) -> int:
    data = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=KEY_BYTES).digest(), "little")


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """N texts. `keys` is [N, 3]; the first `searchable` are candidates, the others only known.

    Two texts with one normal form stand once. Make it with `build_pool`.
    """

    starts: NDArray[np.int64]
    ids: NDArray[np.uint8]
    keys: NDArray[np.uint64]
    searchable: int
    _file: BinaryIO
    _order: NDArray[np.int64]
    _sorted: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return map(self.text, range(len(self)))

    def close(self) -> None:
        """Close the file of texts."""
        self._file.close()

    def part(self, start: int, end: int) -> PoolPart:
        """The texts from `start` to before `end`, to be read by slices."""
        return PoolPart(self, start, end)

    def find(self, texts: Iterable[str]) -> NDArray[np.int64]:
        """The place of each text, by its normal form. Raises KeyError for one it does not hold."""
        wanted = np.array([text_key(text) for text in texts], dtype=np.uint64)
        places = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        if (self._sorted[places] != wanted).any():
            raise KeyError("a text that the pool does not hold")
        found: NDArray[np.int64] = self._order[places]
        return found

    def text(self, index: int) -> str:
        """A text, title first."""
        self._file.seek(int(self.starts[index]))
        text: str = json.loads(self._file.readline())
        return text

    def content_ids(self, indices: NDArray[np.int64]) -> list[str]:
        """The content ids of texts, as records have them."""
        digits = self.ids[indices].tobytes().hex()
        return [digits[at : at + 2 * _ID_BYTES] for at in range(0, len(digits), 2 * _ID_BYTES)]


@dataclass(frozen=True, slots=True, eq=False)
class PoolPart:
    """A run of a pool's texts."""

    pool: Pool
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, rows: slice) -> list[str]:
        places = range(self.start, self.end)[rows]
        return [self.pool.text(place) for place in places]


def build_pool(corpus: Iterable[Passage], others: Iterable[str], folder: Path, *, key: str) -> Pool:
    """The pool of a corpus in `folder`, written there unless it has one of the same `key`.

    `others` are texts that are to be known besides, such as the records' positives. Raises
    RunError where it cannot be written.
    """
    meta = folder / "meta.json"
    if _read_meta(meta).get("key") == key:
        return _open(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        meta.unlink(missing_ok=True)  # written last: without it there is no pool
        with (folder / "texts.jsonl").open("wb") as file:
            columns = _Columns(file)
            for passage in corpus:
                if passage.full:
                    columns.add(passage.full, (passage.full, passage.text), passage.id)
            searchable = len(columns.starts)
            for text in others:
                columns.add(text, (text, text), "")
        columns.save(folder)
    except OSError as exc:
        raise disk_error(exc, folder) from exc
    with write_whole(meta) as marker:
        json.dump({"key": key, "searchable": searchable}, marker)
    return _open(folder)


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return meta


def _open(folder: Path) -> Pool:
    starts, ids, keys = (
        np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))  # a plain view reads faster
        for name in ("starts", "ids", "keys")
    )
    searchable = int(_read_meta(folder / "meta.json")["searchable"])
    order = np.argsort(keys[:, 0])
    file = (folder / "texts.jsonl").open("rb")
    return Pool(starts, ids, keys, searchable, file, order, keys[order, 0])


class _Columns:
    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at = file, 0
        self._seen: set[int] = set()
        self.starts, self._ids, self._keys = array("q"), bytearray(), array("Q")

    def add(self, full: str, forms: tuple[str, str], name: str) -> None:
        key = text_key(forms[0])
        if key in self._seen:
            return
        self._seen.add(key)
        other = key if forms[1] == forms[0] else text_key(forms[1])
        self.starts.append(self._at)
        self._ids += bytes.fromhex(content_id(full))
        self._keys.extend((key, other, passage_key(name)))
        self._at += self._file.write(json.dumps(full, ensure_ascii=False).encode() + b"\n")

    def save(self, folder: Path) -> None:
        np.save(folder / "starts.npy", np.frombuffer(self.starts, dtype=np.int64))
        ids = np.frombuffer(bytes(self._ids), dtype=np.uint8).reshape(-1, _ID_BYTES)
        np.save(folder / "ids.npy", ids)
        keys = np.frombuffer(self._keys, dtype=np.uint64).reshape(-1, 3)
        np.save(folder / "keys.npy", keys)
