"""Which fields of an evaluation set's rows are text to compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Kind = Literal["query", "passage", "text"]

LAYOUTS = (
    "a BEIR folder, a folder with test.jsonl, a .jsonl or .txt file, or the name of an mteb task"
)
# Fields of a JSONL file that hold no text to compare.
_NO_TEXT = frozenset(
    {"id", "_id", "label", "labels", "language", "lang", "split", "part", "type", "task", "prompt"}
    | {
        "category",
        "source",
        "title",
        "url",
        "metadata",
        "score",
        "provenance",
        "family",
        "in_batch",
    }
)
_QUERIES = frozenset({"query", "question", "anchor", "user_query"})


def fields_of(row: Mapping[str, Any]) -> Iterator[tuple[Kind, str, str]]:
    """Kind, name and content of every text of a row: also in lists, and in objects with `text`."""
    for field, value in row.items():
        if field in _NO_TEXT:
            continue
        for item in value if isinstance(value, list | tuple) else (value,):
            text = item.get("text") if isinstance(item, Mapping) else item
            if isinstance(text, str):
                yield "query" if field in _QUERIES else "text", field, text
