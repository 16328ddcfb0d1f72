"""Passages on their way to a run's folder: on disk as they come, a few numbers each in memory."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from generator import langid
from generator.corpus.passages import SEPARATOR, Draft
from generator.corpus.store import OPENS_DOCUMENT, OPENS_SECTION, Passage
from generator.records import content_id
from generator.scripts import letter_count

# What is shorter says too little of its language: its document's is taken.
_LETTERS, _CONFIDENCE = 40, 0.5
UNKNOWN = "und"  # ISO 639-2: undetermined


class Spooled:
    """A context manager over a file without a name in `folder`. 32 bytes a passage are held."""

    def __init__(self, folder: Path, *, titles: bool) -> None:
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - closed in __exit__
        self._titles = titles
        self._offsets = array("q", [0])
        self._ids, self._id_ends, self._documents = array("Q"), array("Q"), array("i")
        self._languages, self._opens = array("H"), array("H")
        self.codes: list[str] = [UNKNOWN]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, draft: Draft, document: int, source: str) -> None:
        """A passage of the `document`-th document."""
        text = draft.text
        passage_id = content_id(*draft.path, text)
        row = {"id": passage_id, "text": text, "path": draft.path, "source": source}
        line = json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")
        self._file.write(line)
        self._offsets.append(self._offsets[-1] + len(line))
        is_first = not self._documents or self._documents[-1] != document
        opens = (OPENS_SECTION if draft.opens_section else 0) | (OPENS_DOCUMENT if is_first else 0)
        self._ids.append(int(passage_id[:16], 16))
        self._id_ends.append(int(passage_id[16:], 16))
        self._documents.append(document)
        self._opens.append(opens)
        self._languages.append(self._code(_language(draft.prose)))

    def end_document(self, start: int) -> None:
        """Give the passages from `start` on whose language is unknown that of the others."""
        found = Counter(code for code in self._languages[start:] if code)
        if found:
            most = found.most_common(1)[0][0]
            for place in range(start, len(self._languages)):
                self._languages[place] = self._languages[place] or most

    def language(self, place: int) -> str:
        """The language of a passage; where even its document's is unknown, that of most."""
        return self.codes[self._languages[place] or self._most]

    def settle(self) -> None:
        """Call it after the last passage: what is unknown is taken for the commonest language."""
        found = Counter(code for code in self._languages if code)
        self._most = found.most_common(1)[0][0] if found else 0

    def text(self, place: int) -> str:
        """The text of a passage, from disk."""
        return str(self._row(place)["text"])

    def passage(self, place: int) -> Passage:
        """A passage, from disk."""
        row = self._row(place)
        path = tuple(row["path"])
        title = SEPARATOR.join(path) if self._titles else ""
        return Passage(row["id"], row["text"], path, self.language(place), row["source"], title)

    def order(self, known: NDArray[np.uint64]) -> Sequence[int]:
        """All places: those whose ids are `known` first, each part in the order of arrival."""
        is_new = ~np.isin(np.frombuffer(self._ids, dtype=np.uint64), known)
        order: list[int] = np.argsort(is_new, kind="stable").tolist()
        return order

    def entry(self, place: int) -> tuple[int, int, int, int]:
        """Both halves of its id, its document, what it opens."""
        ids = self._ids[place], self._id_ends[place]
        return *ids, self._documents[place], self._opens[place]

    def _row(self, place: int) -> dict[str, str]:
        start, end = self._offsets[place], self._offsets[place + 1]
        self._file.seek(start)
        row: dict[str, str] = json.loads(self._file.read(end - start).decode(errors="replace"))
        return row

    def _code(self, language: str) -> int:
        if language not in self.codes:
            self.codes.append(language)
        return self.codes.index(language)


def _language(prose: str) -> str:
    if letter_count(prose[:400]) < _LETTERS:
        return UNKNOWN
    guess = langid.detect(prose)
    return guess.language if guess.confidence >= _CONFIDENCE else UNKNOWN
