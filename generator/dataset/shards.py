"""Rows → Parquet shards of one family and split, a row group at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from generator.dataset.features import Row, arrow_schema


class Shards:
    """Writes `<split>-00000-of-00003.parquet` and so on; holds one row group in memory.

    The number of shards is known at the end alone, so the files get their names in `close`.
    """

    def __init__(self, folder: Path, split: str, *, shard_rows: int, row_group_rows: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._split = split
        self._shard_rows = shard_rows
        self._row_group_rows = min(row_group_rows, shard_rows)
        self._schema = arrow_schema()
        self._buffer: list[Row] = []
        self._writer: Any = None
        self._paths: list[Path] = []
        self._in_shard = 0
        self.rows = 0

    def add(self, row: Row) -> None:
        """Write one row, at once or with the next row group."""
        self._buffer.append(row)
        self.rows += 1
        shard_full = self._in_shard + len(self._buffer) == self._shard_rows
        if shard_full or len(self._buffer) == self._row_group_rows:
            self._flush()
        if shard_full:
            self._finish_shard()

    def close(self) -> None:
        """Write what is left and give the files their names."""
        self._flush()
        self._finish_shard()
        for number, path in enumerate(self._paths):
            name = f"{self._split}-{number:05d}-of-{len(self._paths):05d}.parquet"
            path.rename(self._folder / name)

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415 - slow to import
        import pyarrow.parquet as pq  # noqa: PLC0415

        if not self._buffer:
            return
        if self._writer is None:
            self._paths.append(self._folder / f".{self._split}-{len(self._paths):05d}")
            self._writer = pq.ParquetWriter(self._paths[-1], self._schema, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist(self._buffer, schema=self._schema))
        self._in_shard += len(self._buffer)
        self._buffer = []

    def _finish_shard(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        self._in_shard = 0
