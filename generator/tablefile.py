"""Tables as spreadsheets and other tools write them: CSV and TSV, in any encoding, and Parquet."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from generator.corpus.decoding import WIDE, encoding_of, lines
from generator.errors import BadDocument
from generator.quotemarks import TableLines, open_quote

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a document may be longer than 128 kB

# A byte that the file's encoding does not know, as `surrogateescape` reads it.
_BROKEN = re.compile("[\udc80-\udcff]")
# Their broken characters are no single bytes: U+FFFD stands for them.
_LENIENT, _REPLACED = WIDE | {"iso2022_jp"}, re.compile("\ufffd")
_BATCH_ROWS = 256


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of a table that cannot be read, and why, as a stable snake_case key."""

    reason: str
    text: str


def table_rows(path: Path) -> Iterator[tuple[int, list[str] | BadRow]]:
    """The number of a row's last line, and its fields, or why it has none.

    The fields of .tsv are separated by tabs, others as their first line is. A mark that is not
    closed costs its row, whose number is then that of the mark's line. Raises BadDocument where
    it stands in the first row, without which the others say nothing.
    """
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(path)
    # Tabs separate fields that nobody quotes: MS MARCO's texts hold lone quotation marks.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    encoding = encoding_of(path)
    errors, broken = "surrogateescape", _BROKEN
    if encoding in _LENIENT:
        errors, broken = "replace", _REPLACED
    with path.open(encoding=encoding, errors=errors, newline="") as file:
        for number, fields in _rows(file, delimiter, quoting):
            whole = fields.text if isinstance(fields, BadRow) else delimiter.join(fields)
            if broken.search(whole):
                data = whole.encode("utf-8", "surrogateescape")
                yield number, BadRow("bad_encoding", data.decode("utf-8", "replace"))
            elif fields:
                yield number, fields


def _rows(
    file: Iterable[str], delimiter: str, quoting: Literal[0, 3]
) -> Iterator[tuple[int, list[str] | BadRow]]:
    lines, width = TableLines(file), 0
    for fields in csv.reader(lines, delimiter=delimiter, quoting=quoting):
        may_be_open = len(lines.row) > 1 or lines.ended
        opened = open_quote(lines, delimiter, width) if may_be_open else None
        if opened is None:
            yield lines.number, fields
        else:
            text = lines.give_again(opened + 1)
            if not width:
                raise BadDocument(
                    "open_quote", f"line {lines.number} opens a mark that ends nowhere"
                )
            yield lines.number, BadRow("open_quote", text)
        width = width or len(fields)
        lines.next_row()


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
