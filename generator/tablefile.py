"""Tables as spreadsheets and other tools write them: CSV and TSV, in any encoding."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from generator.corpus.decoding import WIDE, encoding_of, lines

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a document may be longer than 128 kB

# A byte that the file's encoding does not know, as `surrogateescape` reads it.
_BROKEN = re.compile("[\udc80-\udcff]")


def table_rows(path: Path) -> Iterator[tuple[int, list[str] | str]]:
    """The number of a row's last line, and its fields; a row with a broken byte as one text.

    The fields of .tsv are separated by tabs, others as their first line is. Raises BadDocument.
    """
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(path)
    # Tabs separate fields that nobody quotes: MS MARCO's texts hold lone quotation marks.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    encoding = encoding_of(path)
    errors = "replace" if encoding in WIDE else "surrogateescape"
    with path.open(encoding=encoding, errors=errors, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, quoting=quoting)
        for fields in reader:
            whole = delimiter.join(fields)
            if _BROKEN.search(whole):
                data = whole.encode("utf-8", "surrogateescape")
                yield reader.line_num, data.decode("utf-8", "replace")
            elif fields:
                yield reader.line_num, fields


def _delimiter(path: Path) -> str:
    """Spreadsheets write semicolons where the comma is the decimal mark, and tabs as Unicode."""
    first = next((line for line in lines(path) if isinstance(line, str)), "")
    return "," if "," in first else max(",;\t", key=first.count)
