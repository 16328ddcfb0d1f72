"""Records → a folder that `datasets.load_dataset` reads: Parquet shards, JSONL and a README.

Two passes over the records, none of which holds them: what is in memory is one row group for each
family and split. The same records give the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

import yaml

from generator.dataset.features import record_to_row
from generator.dataset.folder import replacing
from generator.dataset.layout import DATA, Layout, SplitName, config_name
from generator.dataset.lines import LineFiles
from generator.dataset.shards import Shards
from generator.dataset.source import Source, records_of
from generator.dataset.split import Split
from generator.dataset.split import split as split_records
from generator.errors import InputError
from generator.records import Record, to_json

README = "README.md"
ROW_GROUP_ROWS = 1_000
# The Hub's viewer likes files below half a gigabyte; texts of 2 kB a row come to less.
SHARD_ROWS = 100_000

Readme = Callable[[Layout], str]


def write_dataset(
    source: Source,
    folder: Path,
    *,
    split: Split | None = None,
    readme: Readme | None = None,
    jsonl: bool = True,
    shard_rows: int = SHARD_ROWS,
    row_group_rows: int = ROW_GROUP_ROWS,
) -> Layout:
    """Write the data set to `folder`, which appears whole or not at all, and say what it holds.

    `split` defaults to `generator.dataset.split.split(source)`. `readme` makes the card from the
    layout; its front matter must hold `layout.front_matter()` under `configs`. Raises `InputError`
    when there are no records, or when `folder` holds files that trine did not write.
    """
    chosen = split_records(source) if split is None else split
    with replacing(folder) as new:
        with _Sides(
            new, jsonl=jsonl, shard_rows=shard_rows, row_group_rows=row_group_rows
        ) as sides:
            for record in records_of(source):
                sides.add(chosen.side(record), record)
        layout = sides.layout()
        if not layout.rows:
            raise InputError("no records to write", hint="trine generate comes first")
        (new / README).write_text((readme or plain_readme)(layout), encoding="utf-8")
    return layout


def plain_readme(layout: Layout) -> str:
    """A README of front matter alone: what `load_dataset` needs."""
    configs = yaml.safe_dump({"configs": layout.front_matter()}, sort_keys=False)
    return f"---\n{configs}---\n"


class _Sides:
    """The open files of a data set: Parquet for each family and split, JSONL for each split."""

    def __init__(self, folder: Path, *, jsonl: bool, shard_rows: int, row_group_rows: int) -> None:
        self._folder = folder
        self._jsonl = jsonl
        self._new = partial(Shards, shard_rows=shard_rows, row_group_rows=row_group_rows)
        self._shards: dict[tuple[str, SplitName], Shards] = {}
        self._lines = LineFiles(folder)
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        self._closing.enter_context(self._lines)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def add(self, side: SplitName, record: Record) -> None:
        """Write the record to the files of its family and side."""
        key = (record.family, side)
        if key not in self._shards:
            shards = self._new(self._folder / DATA / config_name(record.family), side)
            self._closing.callback(shards.close)
            self._shards[key] = shards
        self._shards[key].add(record_to_row(record))
        if self._jsonl:
            self._lines.line(f"{side}.jsonl", to_json(record))

    def layout(self) -> Layout:
        """What has been written."""
        rows: dict[str, dict[SplitName, int]] = defaultdict(dict)
        for (family, side), shards in self._shards.items():
            rows[family][side] = shards.rows
        return Layout.of(rows)
