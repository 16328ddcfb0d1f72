"""JSONL, BEIR, Parquet and Hugging Face data sets → documents, a row each, streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.corpus import plain
from generator.corpus.blocks import Document, Skipped
from generator.corpus.decoding import decode, lines
from generator.corpus.markdown import blocks as markdown_blocks
from generator.errors import ConfigError, InputError
from generator.hub import offline_where_unreachable
from generator.tablefile import BadRow, parquet_rows, table_rows
from generator.textfile import json_value, text_field

TEXT_FIELDS = (
    "text", "content", "contents", "body", "passage", "document", "article", "context",
    "本文", "テキスト", "文書", "内容",
)  # fmt: skip
TITLE_FIELDS = ("title", "heading", "headline", "name", "タイトル", "題名", "見出し", "件名")
ID_FIELDS = ("_id", "id", "docid", "doc_id", "url")
HUB = "hf:"


@dataclass(frozen=True, slots=True)
class Fields:
    """Which fields of a row hold text and title; None looks for the usual names."""

    text: str | None = None
    title: str | None = None

    def among(self, names: Iterable[str]) -> list[str]:
        """Those of the names that may hold a text, a title or an id."""
        own = {name for name in (self.text, self.title) if name}
        return [name for name in names if name in {*own, *TEXT_FIELDS, *TITLE_FIELDS, *ID_FIELDS}]


def from_jsonl(path: Path, source: str, fields: Fields) -> Iterator[Document | Skipped]:
    """A document a line. A bad line is skipped with its place. Raises BadDocument."""
    for number, line in enumerate(lines(path), start=1):
        place = f"{source}:{number}"
        if isinstance(line, UnicodeDecodeError):
            yield Skipped(place, "bad_encoding", str(line))
            continue
        if not line.strip():
            continue
        try:
            row = json_value(line)
        except ValueError as exc:
            yield Skipped(place, "not_json", str(exc))
            continue
        yield _document(row, place, source, fields)


def from_json(path: Path, source: str, fields: Fields) -> Iterator[Document | Skipped]:
    """A document an object: the file is a list of objects, or one object; read as a whole."""
    try:
        content = json_value(decode(path.read_bytes()))
    except ValueError as exc:
        yield Skipped(source, "not_json", str(exc))
        return
    found = content if isinstance(content, list) else [content]
    if not found:
        yield Skipped(source, "empty")
    for number, row in enumerate(found, start=1):
        yield _document(row, f"{source}:{number}", source, fields)


def from_table(path: Path, source: str, fields: Fields) -> Iterator[Document | Skipped]:
    """A document a row of a CSV or TSV file, whose first row names the columns.

    Raises BadDocument.
    """
    names: list[str] | None = None
    for number, row in table_rows(path):
        place = f"{source}:{number}"
        if isinstance(row, BadRow):
            yield Skipped(place, row.reason, row.text[:200])
        elif names is None:
            names = [name if name in {fields.text, fields.title} else name.strip().lower()
                     for name in row]  # fmt: skip
        else:
            yield _document(dict(zip(names, row, strict=False)), place, source, fields)


def from_parquet(path: Path, source: str, fields: Fields) -> Iterator[Document | Skipped]:
    """A document a row; of the columns only those that may hold text, title or id are read.

    Raises BadDocument.
    """
    found = parquet_rows(path, lambda names: fields.among(names) or None)
    for number, row in enumerate(found, start=1):
        place = f"{source}:{number}"
        if isinstance(row, UnicodeDecodeError):
            yield Skipped(place, "bad_encoding", str(row))
        else:
            yield _document(row, place, source, fields)


def from_saved(path: Path, source: str, fields: Fields) -> Iterator[Document | Skipped]:
    """A document a row of a data set that `save_to_disk` wrote; all its splits."""
    from datasets import DatasetDict, load_from_disk  # noqa: PLC0415 - slow to import

    try:
        found = load_from_disk(str(path))
    except Exception as exc:  # noqa: BLE001 - whatever the library raises of a broken folder
        yield Skipped(source, "broken", str(exc).partition("\n")[0])
        return
    splits = found if isinstance(found, DatasetDict) else {"": found}
    for split, rows in splits.items():
        yield from _documents(rows, f"{source}:{split}".rstrip(":"), fields)


def from_hub(name: str, fields: Fields) -> Iterator[Document | Skipped]:
    """A document a row of `hf:NAME[/CONFIG][:SPLIT]`, streamed; NAME may be a local folder.

    Raises InputError where it cannot be loaded.
    """
    from datasets import load_dataset  # noqa: PLC0415 - slow to import

    path, config, split = _hub_parts(name)
    try:
        with offline_where_unreachable(path):
            rows = load_dataset(path, config, split=split, streaming=True)
        yield from _documents(rows, name, fields)
    except Exception as exc:  # whatever the library raises: of the hub, the network or the name
        raise InputError(
            f"{name}: {str(exc).partition(chr(10))[0]}", hint="hf:OWNER/NAME[/CONFIG][:SPLIT]"
        ) from exc


def _hub_parts(name: str) -> tuple[str, str | None, str]:
    whole, colon, split = name.removeprefix(HUB).rpartition(":")
    whole, split = (whole, split) if colon else (split, "train")
    if Path(whole).exists():
        return whole, None, split
    parts = whole.split("/")
    if not whole or len(parts) > 3:
        raise ConfigError(f"corpus: {name!r} names no data set", hint="hf:OWNER/NAME/CONFIG:SPLIT")
    return "/".join(parts[:2]), parts[2] if len(parts) == 3 else None, split


def _documents(
    rows: Iterable[Mapping[str, Any]], source: str, fields: Fields
) -> Iterator[Document | Skipped]:
    for number, row in enumerate(rows, start=1):
        yield _document(row, f"{source}:{number}", source, fields)


def _document(row: Any, place: str, source: str, fields: Fields) -> Document | Skipped:
    if not isinstance(row, Mapping):
        return Skipped(place, "not_an_object")
    text = text_field(row, *((fields.text,) if fields.text else TEXT_FIELDS))
    if text is None:
        return Skipped(place, "no_text", f"fields: {', '.join(map(str, row))}"[:200])
    title = text_field(row, *((fields.title,) if fields.title else TITLE_FIELDS)) or ""
    name = text_field(row, *ID_FIELDS)
    is_markdown = text.lstrip().startswith("#") or "\n## " in text or "```" in text
    blocks = markdown_blocks(text) if is_markdown else plain.blocks(text.splitlines())
    return Document(f"{source}:{name}" if name else place, title.strip(), blocks)
