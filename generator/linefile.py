"""A file of results that grows line by line; a killed process goes on after its last whole line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from generator.recordfile import write_whole


class Line(Protocol):
    """Something that goes into one line."""

    def to_json(self) -> str:
        """One line, without the newline."""
        ...


T = TypeVar("T", bound=Line)


class LineFile(Generic[T]):
    """Results in the order of the records, in `folder`; `key` stands for all they depend on.

    Under another key the file begins anew. `parse` is the inverse of `to_json`.
    """

    def __init__(self, folder: Path, name: str, key: str, parse: Callable[[bytes], T]) -> None:
        self.path = folder / f"{name}.jsonl"
        self._parse = parse
        marker = folder / f"{name}.key"
        folder.mkdir(parents=True, exist_ok=True)
        if not marker.is_file() or marker.read_text(encoding="utf-8") != key:
            self.path.unlink(missing_ok=True)
            with write_whole(marker) as file:
                file.write(key)
        self.count = self._repair()

    def _repair(self) -> int:
        """Cut a torn last line off; how many lines are whole."""
        if not self.path.is_file():
            return 0
        count = whole = 0
        with self.path.open("r+b") as file:
            for line in file:
                if line.endswith(b"\n"):
                    count, whole = count + 1, whole + len(line)
            file.truncate(whole)
        return count

    def append(self, found: Sequence[T]) -> None:
        """Add the results of the next records."""
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(item.to_json() + "\n" for item in found)
        self.count += len(found)

    def __iter__(self) -> Iterator[T]:
        if not self.count:
            return
        with self.path.open("rb") as file:
            yield from map(self._parse, file)
