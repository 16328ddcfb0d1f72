"""The schema of the data set, and records as its rows.

The Parquet files carry a plain Arrow schema without the `huggingface` metadata: `datasets` ≥ 4
would write the feature type `List` there, which older versions refuse to read. Every type below
is one that any version infers from Arrow alone, so the features come out the same.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from generator.records import Record

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

Row = dict[str, Any]


def features() -> Features:
    """The columns of the data set, in the order of a record's fields.

    A list with one element type is a list of structs in every version of `datasets`;
    `Sequence({...})` would be a struct of lists.
    """
    from datasets import Features, Value  # noqa: PLC0415 - slow to import

    text, flag, number = Value("string"), Value("bool"), Value("float64")
    scores = [{"teacher": text, "value": number}]
    return Features(
        {
            "id": text,
            "family": text,
            "task": text,
            "language": text,
            "symmetric": flag,
            "label": text,
            "in_batch": text,
            "query": text,
            "positives": [{"id": text, "text": text, "scores": scores}],
            "negatives": [{"id": text, "text": text, "source": text, "scores": scores}],
            "provenance": {
                "model": text,
                "templates": [text],
                "draw": text,
                "seed": Value("int64"),
                "requests": [text],
                "passage": text,
                "source": text,
            },
        }
    )


def arrow_schema() -> pa.Schema:
    """The schema that the Parquet files carry (see the module's docstring)."""
    return features().arrow_schema.remove_metadata()


@cache
def _rows() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


def record_to_row(record: Record) -> Row:
    """The record as dicts and lists, keys as in `features()`; the inverse of `row_to_record`."""
    row: Row = _rows().dump_python(record, mode="json")
    return row


def row_to_record(row: Row) -> Record:
    """The record of a row. Raises `pydantic.ValidationError` when a field is missing or wrong."""
    return _rows().validate_python(row)
