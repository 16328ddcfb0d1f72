"""Finds text that looks like an API key, before it leaves the machine.

Looks at every file that would be published: line by line in text, row by row in Parquet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# A letter or digit before the prefix makes it part of a word ("task-…"); a key holds digits.
_START = r"(?<![A-Za-z0-9_-])"
PATTERNS: dict[str, re.Pattern[str]] = {
    "an OpenAI-style key": re.compile(_START + r"sk-(?=[\w-]*\d)[A-Za-z0-9_-]{20,}"),
    "a Hugging Face token": re.compile(_START + r"hf_[A-Za-z0-9]{30,}"),
    "a GitHub token": re.compile(_START + r"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22,})"),
    "an AWS key id": re.compile(_START + r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    "a Google key": re.compile(_START + r"AIza[A-Za-z0-9_-]{35}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}


@dataclass(frozen=True, slots=True)
class Found:
    """Where a key seems to be; never the key itself."""

    place: str
    kind: str

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}"


def find_keys(folder: Path, names: Iterable[str]) -> Iterator[Found]:
    """What looks like a key in the named files of the folder."""
    for name in names:
        for place, text in _texts(folder / name):
            for kind, pattern in PATTERNS.items():
                if pattern.search(text):
                    yield Found(f"{name}:{place}", kind)


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            yield str(number), line


def _parquet_rows(path: Path) -> Iterator[tuple[str, str]]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    number = 0
    for batch in pq.ParquetFile(path).iter_batches(batch_size=1_000):
        for row in batch.to_pylist():
            number += 1
            yield f"row {number}", json.dumps(row, ensure_ascii=False, default=str)
