"""Line files of a folder, opened when their first line comes."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TextIO


class LineFiles:
    """Writes lines to files by name; `counts` holds the JSON rows of each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, TextIO] = {}
        self._closing = ExitStack()
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def line(self, name: str, text: str) -> None:
        """Write one line, which must not hold a newline."""
        if name not in self._open:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("w", encoding="utf-8", newline="\n")
            self._open[name] = self._closing.enter_context(file)
        self._open[name].write(text + "\n")

    def row(self, name: str, row: dict[str, Any]) -> None:
        """Write one row of JSON."""
        self.line(name, json.dumps(row, ensure_ascii=False))
        self.counts[name] += 1
