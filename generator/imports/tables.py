"""Files and data sets → rows as mappings, one at a time, each with its place."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from generator.errors import InputError
from generator.records import Rejected

Row = Mapping[str, Any]
Placed = tuple[str, Row | Rejected]

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a document may be longer than 128 kB


def rows_of(source: str, *, split: str = "train") -> Iterator[Placed]:
    """The rows of a file (.jsonl, .json, .csv, .tsv, .parquet), or of a data set of the Hub.

    A line that is no row comes as a `Rejected`. Raises InputError where there is nothing to read.
    """
    path = Path(source)
    if path.is_file():
        read = READERS.get(path.suffix.lower())
        if read is None:
            raise InputError(
                f"{path}: not a file of rows", hint=f"one of: {', '.join(sorted(READERS))}"
            )
        yield from read(path)
    elif path.exists() or source.startswith((".", "/")):
        raise InputError(f"{source}: no file of rows", hint="check the path, or give --format")
    else:
        yield from _hub(source, split)


def unreadable(reason: str, place: str, detail: str, text: str = "") -> Rejected:
    """A row that cannot become a record."""
    detail = f"{place}: {detail}" if detail else place
    return Rejected("import", reason, family="", language="", detail=detail, text=text or None)


def _jsonl(path: Path) -> Iterator[Placed]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"{path.name}:{number}"
            try:
                yield place, _mapping(json.loads(line), place)
            except ValueError as exc:
                text = line.decode("utf-8", "replace")[:500]
                yield place, unreadable("not_json", place, str(exc), text)


def _json(path: Path) -> Iterator[Placed]:
    """A list of rows, a mapping that holds one under "data", or lines after all."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        yield from _jsonl(path)
        return
    rows = content.get("data") if isinstance(content, Mapping) else content
    if not isinstance(rows, list):
        raise InputError(f"{path}: neither a list nor {{'data': [...]}}", hint="rows as JSONL")
    for number, row in enumerate(rows, start=1):
        place = f"{path.name}#{number}"
        yield place, _mapping(row, place)


def _table(path: Path, delimiter: str) -> Iterator[Placed]:
    # Tabs separate fields that nobody quotes: MS MARCO's texts hold lone quotation marks.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, quoting=quoting)
        header: list[str] | None = None
        for fields in reader:
            place = f"{path.name}:{reader.line_num}"
            if header is None:
                header = _header(fields)
                if header == fields:
                    continue
            if len(fields) != len(header):
                detail = f"{len(fields)} fields, not {len(header)}"
                yield place, unreadable("wrong_fields", place, detail, delimiter.join(fields)[:500])
            elif fields:
                yield place, dict(zip(header, fields, strict=True))


_NAMES = frozenset(
    """query anchor question sentence1 positive document passage context answer answers sentence2
    negative premise hypothesis label clicks url text title id qid pid query_id doc_id""".split()
)


def _header(fields: list[str]) -> list[str]:
    """The names in the first line; without any, columns are query, positive and negatives."""
    names = [field.strip().lower() for field in fields]
    if any(name in _NAMES or name.rstrip("0123456789_") in _NAMES for name in names):
        return fields
    if len(set(fields)) == len(fields) and all(f.isidentifier() and len(f) < 30 for f in fields):
        return fields
    own = ["query", "positive", "negative"]
    return [*own[: len(fields)], *(f"negative_{n}" for n in range(2, len(fields) - 1))]


def _parquet(path: Path) -> Iterator[Placed]:
    from pyarrow import ArrowInvalid, parquet  # noqa: PLC0415 - slow to import

    try:
        batches = parquet.ParquetFile(path).iter_batches()
    except ArrowInvalid as exc:
        raise InputError(f"{path}: not Parquet: {exc}", hint="check the file") from exc
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield f"{path.name}#{number}", row


def _hub(name: str, split: str) -> Iterator[Placed]:
    """`name` or `name:config` of the Hugging Face Hub, streamed."""
    from datasets import load_dataset  # noqa: PLC0415 - slow to import

    repository, _, config = name.partition(":")
    try:
        found = load_dataset(repository, config or None, split=split, streaming=True)
        for number, row in enumerate(found, start=1):
            yield f"{name}#{number}", row
    except (OSError, ValueError) as exc:
        said = str(exc).splitlines()[0][:300] if str(exc) else type(exc).__name__
        raise InputError(
            f"{name}: neither a file nor a data set: {said}",
            hint="give a path, or the name of a data set on the Hub (and --split)",
        ) from exc


def _mapping(value: Any, place: str) -> Row | Rejected:
    if isinstance(value, Mapping):
        return value
    return unreadable("not_a_row", place, "not an object", json.dumps(value)[:500])


READERS: dict[str, Callable[[Path], Iterator[Placed]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": lambda path: _table(path, ","),
    ".tsv": lambda path: _table(path, "\t"),
    ".parquet": _parquet,
}
