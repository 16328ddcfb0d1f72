"""The passages of a run on disk: a BEIR-like file, and beside it a small index that is mapped.

A passage costs 32 bytes of the index, which the system pages in and out; its text is read from the
file at each access.
"""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.errors import RunError

# Where a passage's line begins; its id in two halves; the number of its document; its
# language's place in the list of the marker; what it opens.
INDEX = np.dtype(
    [
        ("offset", "<i8"),
        ("id", "<u8"),
        ("id_end", "<u8"),
        ("document", "<i4"),
        ("language", "<u2"),
        ("opens", "<u2"),
    ]
)
OPENS_SECTION, OPENS_DOCUMENT = 1, 2


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of the user's documents. `path` are the titles above it, the document's first."""

    id: str
    text: str
    path: tuple[str, ...]
    language: str
    source: str
    title: str = ""

    @property
    def full(self) -> str:
        """As it stands in a record: title path and text, as BEIR joins them."""
        return f"{self.title} {self.text}".strip()


class PassageFile(Sequence[Passage]):
    """The passages in `file`, by place. Raises RunError where file and index do not fit."""

    def __init__(self, file: Path, index: Path, languages: Sequence[str], digest: str) -> None:
        self.file = file
        self.languages = tuple(languages)
        self.digest = digest
        try:
            self._file = os.open(file, os.O_RDONLY)
            self._close = weakref.finalize(self, os.close, self._file)
            # An empty file cannot be mapped.
            size = index.stat().st_size // INDEX.itemsize
            self.places: NDArray[Any] = (
                np.memmap(index, dtype=INDEX, mode="r") if size else np.empty(0, dtype=INDEX)
            )
        except OSError as exc:
            raise RunError(
                f"{file}: {exc.strerror}", hint="run the command again: the corpus is read anew"
            ) from exc

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: int) -> Passage:  # type: ignore[override]
        return passage_of(self._line(place))

    def __iter__(self) -> Iterator[Passage]:
        return (self[place] for place in range(len(self)))

    def find(self, passage_id: str) -> int:
        """The place of a passage by its id. Raises KeyError."""
        prefix = np.uint64(int(passage_id[:16], 16))
        ids, order = self._sorted
        at = int(np.searchsorted(ids, prefix))
        while at < len(ids) and ids[at] == prefix:
            if self.id(int(order[at])) == passage_id:
                return int(order[at])
            at += 1
        raise KeyError(passage_id)

    def id(self, place: int) -> str:
        """The id of a passage, without reading it."""
        row = self.places[place]
        return f"{int(row['id']):016x}{int(row['id_end']):016x}"

    def language(self, place: int) -> str:
        """The language code of a passage, without reading it."""
        return self.languages[int(self.places["language"][place])]

    def close(self) -> None:
        """Close the file (also done when the object goes)."""
        self._close()

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        order = np.argsort(self.places["id"], kind="stable")
        return self.places["id"][order], order

    def _line(self, place: int) -> bytes:
        start, size = int(self.places["offset"][place]), 1 << 12
        while True:
            data = os.pread(self._file, size, start)
            end = data.find(b"\n")
            if end >= 0 or len(data) < size:
                return data[:end] if end >= 0 else data
            size *= 4


def line_of(passage: Passage) -> str:
    """A passage as a line of the file: `_id`, `title` and `text` are BEIR's."""
    return json.dumps(
        {
            "_id": passage.id,
            "title": passage.title,
            "text": passage.text,
            "path": list(passage.path),
            "language": passage.language,
            "source": passage.source,
        },
        ensure_ascii=False,
    )


def passage_of(line: bytes | str) -> Passage:
    """The inverse of `line_of`."""
    row = json.loads(line)
    return Passage(
        row["_id"], row["text"], tuple(row["path"]), row["language"], row["source"], row["title"]
    )
