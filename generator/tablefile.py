"""Tables as spreadsheets and other tools write them: CSV and TSV, in any encoding, and Parquet."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from generator.corpus.decoding import WIDE, encoding_of, lines
from generator.errors import BadDocument

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a document may be longer than 128 kB

# A byte that the file's encoding does not know, as `surrogateescape` reads it.
_BROKEN = re.compile("[\udc80-\udcff]")
# Their broken characters are no single bytes: U+FFFD stands for them.
_LENIENT, _REPLACED = WIDE | {"iso2022_jp"}, re.compile("\ufffd")
_BATCH_ROWS = 256


def table_rows(path: Path) -> Iterator[tuple[int, list[str] | str]]:
    """The number of a row's last line, and its fields; a row with a broken byte as one text.

    The fields of .tsv are separated by tabs, others as their first line is. Raises BadDocument.
    """
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(path)
    # Tabs separate fields that nobody quotes: MS MARCO's texts hold lone quotation marks.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    encoding = encoding_of(path)
    errors, broken = "surrogateescape", _BROKEN
    if encoding in _LENIENT:
        errors, broken = "replace", _REPLACED
    with path.open(encoding=encoding, errors=errors, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, quoting=quoting)
        for fields in reader:
            whole = delimiter.join(fields)
            if broken.search(whole):
                data = whole.encode("utf-8", "surrogateescape")
                yield reader.line_num, data.decode("utf-8", "replace")
            elif fields:
                yield reader.line_num, fields


def parquet_rows(
    path: Path, wanted: Callable[[Iterable[str]], list[str] | None] = lambda _: None
) -> Iterator[Mapping[str, Any] | UnicodeDecodeError]:
    """The rows of a Parquet file; one whose text is no UTF-8 comes as what is wrong with it.

    `wanted` are those of its columns that are read, None for all. Raises BadDocument.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = wanted(file.schema_arrow.names)
            for batch in file.iter_batches(_BATCH_ROWS, columns=names):
                yield from _batch_rows(batch)
                number += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as exc:
        what = str(exc).partition("\n")[0]
        raise BadDocument("broken", f"behind row {number:,}: {what}" if number else what) from exc


def _batch_rows(batch: Any) -> Iterator[Mapping[str, Any] | UnicodeDecodeError]:
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:  # of one row: each by itself, which takes its time
        for at in range(batch.num_rows):
            try:
                yield from batch.slice(at, 1).to_pylist()
            except UnicodeDecodeError as exc:
                yield exc


def _delimiter(path: Path) -> str:
    """Spreadsheets write semicolons where the comma is the decimal mark, and tabs as Unicode."""
    first = next((line for line in lines(path) if isinstance(line, str)), "")
    return "," if "," in first else max(",;\t", key=first.count)
