"""Batches as they lie in a run's folder, so that a killed process finds them again.

    NAME.part        requests that are being collected; not sent, so of no use to another process
    NAME.jsonl       requests of a batch that is full; from here on it may be at the provider
    NAME.json        the ids that the provider gave: the file's, then the batch's
    NAME.out.jsonl   its answers and errors, all of them downloaded

Names begin with a number: of a request that stands in two, the later one counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

_ENDINGS = (".part", ".jsonl", ".json", ".out.jsonl")


@dataclass(eq=False, slots=True)
class Parcel:
    """One batch. `tokens` is about what its prompts take; `keys` are of its requests."""

    folder: Path
    name: str
    keys: list[str] = field(default_factory=list)
    size: int = 0
    tokens: int = 0
    file_id: str | None = None
    batch_id: str | None = None
    _file: BinaryIO | None = None

    @property
    def requests(self) -> Path:
        """The file that is uploaded."""
        return self.folder / f"{self.name}.jsonl"

    @property
    def answers(self) -> Path:
        """The file of its answers and errors."""
        return self.folder / f"{self.name}.out.jsonl"

    def add(self, key: str, line: bytes, tokens: int) -> None:
        """Put one more request in."""
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = (self.folder / f"{self.name}.part").open("wb")
        self._file.write(line)
        self.keys.append(key)
        self.size += len(line)
        self.tokens += tokens

    def seal(self) -> None:
        """Take no more: from now on another process looks for it at the provider."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self.close()
        (self.folder / f"{self.name}.part").replace(self.requests)

    def note(self) -> None:
        """Write down the ids that are known."""
        path = self.folder / f"{self.name}.json"
        part = path.with_suffix(".new")
        part.write_text(json.dumps({"file": self.file_id, "batch": self.batch_id}))
        part.replace(path)

    def read(self, offset: int) -> bytes:
        """The line of its answers at an offset."""
        if self._file is None:
            self._file = self.answers.open("rb")
        self._file.seek(offset)
        return self._file.readline()

    def lines(self) -> Iterator[tuple[str, int]]:
        """The key and the offset of each of its answers; a line that is none is passed over."""
        offset = 0
        with self.answers.open("rb") as file:
            for line in file:
                key = _key(line)
                if key:
                    yield key, offset
                offset += len(line)

    def close(self) -> None:
        """Close its file, if one is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Delete its files."""
        self.close()
        for ending in _ENDINGS:
            (self.folder / f"{self.name}{ending}").unlink(missing_ok=True)


class Shelf:
    """The parcels of one model, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        names = [path.name for path in folder.glob("*-*")] if folder.is_dir() else []
        self._number = max((int(name.split("-")[0]) for name in names), default=0)

    def new(self) -> Parcel:
        """An empty parcel, later than all there are."""
        self._number += 1
        return Parcel(self._folder, f"{self._number:06d}-{uuid4().hex}")

    def found(self) -> list[Parcel]:
        """What an earlier process left, in order; what it was collecting is deleted."""
        parcels = []
        for path in (*self._folder.glob("*.part"), *self._folder.glob("*.new")):
            path.unlink()
        names = {path.name.partition(".")[0] for path in self._folder.glob("*-*")}
        for name in sorted(names):
            parcel = Parcel(self._folder, name)
            if parcel.requests.is_file() or parcel.answers.is_file():
                _recall(parcel)
                parcels.append(parcel)
            else:  # killed while its files were deleted
                parcel.remove()
        return parcels

    def tidy(self) -> None:
        """Delete the folder where it is empty."""
        for folder in (self._folder, self._folder.parent):
            with suppress(OSError):
                folder.rmdir()


def _recall(parcel: Parcel) -> None:
    """Read ids and keys from the parcel's files."""
    try:
        ids = json.loads((parcel.folder / f"{parcel.name}.json").read_text())
        parcel.file_id, parcel.batch_id = ids["file"], ids["batch"]
    except (OSError, ValueError, LookupError):  # killed before they were known
        pass
    if parcel.answers.is_file():
        parcel.keys = [key for key, _ in parcel.lines()]
        return
    parcel.size = parcel.requests.stat().st_size
    parcel.tokens = parcel.size // 4
    with parcel.requests.open("rb") as file:
        parcel.keys = [key for line in file if (key := _key(line))]


def _key(line: bytes) -> str | None:
    try:
        found = json.loads(line)["custom_id"]
    except (ValueError, LookupError, TypeError):
        return None
    return found if isinstance(found, str) else None
