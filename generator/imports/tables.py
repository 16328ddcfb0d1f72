"""Files and data sets → rows as mappings, one at a time, each with its place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from generator.corpus.decoding import decode, lines
from generator.errors import BadDocument, InputError
from generator.hub import offline_where_unreachable
from generator.records import Rejected
from generator.tablefile import BadRow, parquet_rows, table_rows
from generator.textfile import json_value

Row = Mapping[str, Any]
Placed = tuple[str, Row | Rejected]
_HINTS = {"broken": "check the file", "open_quote": "close the quotation mark, or take it out"}
_ENCODED = "save it as UTF-8"


def rows_of(
    source: str, *, split: str = "train", named: frozenset[str] = frozenset()
) -> Iterator[Placed]:
    """The rows of a file (.jsonl, .json, .csv, .tsv, .parquet), or of a data set of the Hub.

    `named` are columns that the user names: a first line with one is a header. A line that is no
    row comes as a `Rejected`. Raises InputError where there is nothing to read.
    """
    path = Path(source)
    if path.is_file():
        read = READERS.get(path.suffix.lower())
        if read is None:
            raise InputError(
                f"{path}: not a file of rows", hint=f"one of: {', '.join(sorted(READERS))}"
            )
        try:
            yield from read(path, named)
        except BadDocument as exc:
            raise InputError(f"{path}: {exc}", hint=_HINTS.get(exc.reason, _ENCODED)) from exc
    elif path.exists() or source.startswith((".", "/")) or path.suffix.lower() in READERS:
        raise InputError(f"{source}: no file of rows", hint="check the path, or give --format")
    else:
        yield from _hub(source, split)


def unreadable(reason: str, place: str, detail: str, text: str = "") -> Rejected:
    """A row that cannot become a record."""
    detail = f"{place}: {detail}" if detail else place
    return Rejected("import", reason, family="", language="", detail=detail, text=text or None)


def _jsonl(path: Path, _: frozenset[str]) -> Iterator[Placed]:
    for number, line in enumerate(lines(path), start=1):
        place = f"{path.name}:{number}"
        if isinstance(line, UnicodeDecodeError):
            text = line.object.decode("utf-8", "replace")[:500]
            yield place, unreadable("bad_encoding", place, str(line), text)
        elif line.strip():
            try:
                yield place, _mapping(json_value(line), place)
            except ValueError as exc:
                yield place, unreadable("not_json", place, str(exc), line.rstrip()[:500])


def _json(path: Path, named: frozenset[str]) -> Iterator[Placed]:
    """A list of rows, a mapping that holds one under "data", or lines after all."""
    try:
        content = json_value(decode(path.read_bytes()).removeprefix("\ufeff"))
    except ValueError:
        yield from _jsonl(path, named)
        return
    rows = content.get("data") if isinstance(content, Mapping) else content
    if not isinstance(rows, list):
        raise InputError(f"{path}: neither a list nor {{'data': [...]}}", hint="rows as JSONL")
    for number, row in enumerate(rows, start=1):
        place = f"{path.name}#{number}"
        yield place, _mapping(row, place)


def _table(path: Path, named: frozenset[str]) -> Iterator[Placed]:
    header: list[str] | None = None
    for number, fields in table_rows(path):
        place = f"{path.name}:{number}"
        if isinstance(fields, BadRow):
            yield place, unreadable(fields.reason, place, "", fields.text[:500])
            continue
        if header is None:
            header = _header(fields, named)
            if header == fields:
                header = _distinct(header)
                continue
        if len(fields) != len(header):
            detail = f"{len(fields)} fields, not {len(header)}"
            yield place, unreadable("wrong_fields", place, detail, "\t".join(fields)[:500])
        else:
            yield place, dict(zip(header, fields, strict=True))


_NAMES = frozenset(
    """query anchor question sentence1 positive document passage context answer answers sentence2
    negative premise hypothesis label clicks url text title id qid pid query_id doc_id quality
    クエリ 検索語 質問 質問文 正例 正解 文書 本文 回答 回答文 答え 負例 不正解 誤答
    ラベル""".split()
)


def _header(fields: list[str], named: frozenset[str]) -> list[str]:
    """The names in the first line; without any, columns are query, positive and negatives."""
    names = [field.strip().lower() for field in fields]
    if named.intersection(fields):
        return fields
    if any(name in _NAMES or name.rstrip("0123456789_") in _NAMES for name in names):
        return fields
    # Words of a script without spaces are identifiers, too, and may be the first pair.
    is_plain = all(f.isascii() and f.isidentifier() and len(f) < 30 for f in fields)
    if is_plain and len(set(fields)) == len(fields):
        return fields
    own = ["query", "positive", "negative"]
    return [*own[: len(fields)], *(f"negative_{n}" for n in range(2, len(fields) - 1))]


def _distinct(names: list[str]) -> list[str]:
    """Names that stand twice are numbered from the second on, as negative_2 is."""
    times = Counter[str]()
    found = []
    for name in names:
        times[name] += 1
        found.append(name if times[name] == 1 else f"{name}_{times[name]}")
    return found


def _parquet(path: Path, _: frozenset[str]) -> Iterator[Placed]:
    for number, row in enumerate(parquet_rows(path), start=1):
        place = f"{path.name}#{number}"
        if isinstance(row, UnicodeDecodeError):
            yield place, unreadable("bad_encoding", place, str(row))
        else:
            yield place, row


def _hub(name: str, split: str) -> Iterator[Placed]:
    """`name` or `name:config` of the Hugging Face Hub, streamed."""
    from datasets import load_dataset  # noqa: PLC0415 - slow to import

    repository, _, config = name.partition(":")
    try:
        with offline_where_unreachable(repository):
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


READERS: dict[str, Callable[[Path, frozenset[str]], Iterator[Placed]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _table,
    ".tsv": _table,
    ".parquet": _parquet,
}
