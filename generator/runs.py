"""A run's folder: its lock, its manifest, its files and the markers of finished stages.

A marker is written after the stage's files, and holds a hash of what went in and of the part of
the configuration that the stage reads. A stage whose marker still fits is not run again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from generator.errors import RunError
from generator.recordfile import disk_error, write_whole
from generator.yamlfile import read_yaml

JUDGED = "judge.sqlite"  # in the folder where a stage works: what its judges have answered


class Begun(NamedTuple):
    """What a stage has done already: its counts, and how many bytes of its source it has read."""

    counts: dict[str, Any]
    read_bytes: int
    is_all: bool


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The paths of a run. Make it with `open_run` (locked) or `existing_run` (to read)."""

    path: Path

    @property
    def journal(self) -> Path:
        """Every answer, in SQLite."""
        return self.path / "journal.sqlite"

    @property
    def judged(self) -> tuple[Path, ...]:
        """Every answer of the judges of mining and of refinement, where there is one."""
        return self.path / "mine" / JUDGED, self.path / "refine" / JUDGED

    @property
    def manifest(self) -> Path:
        """The resolved configuration, versions and template hashes."""
        return self.path / "run.yaml"

    @property
    def tasks(self) -> Path:
        """Brainstormed task descriptions."""
        return self.path / "tasks.jsonl"

    @property
    def records(self) -> Path:
        """What was kept after the last stage."""
        return self.path / "records.jsonl"

    @property
    def rejected(self) -> Path:
        """What was not, with stage and reason."""
        return self.path / "rejected.jsonl"

    @property
    def clusters(self) -> Path:
        """Which records duplicate each other, and how much: who went for whom."""
        return self.path / "clusters.jsonl"

    @property
    def similar(self) -> Path:
        """Of each record that was deduplicated, the most similar one before it."""
        return self.path / "stages" / "similar.rows"

    @property
    def dataset(self) -> Path:
        """The data set: Parquet, JSONL and card."""
        return self.path / "dataset"

    @property
    def model(self) -> Path:
        """The embedder that was trained on it."""
        return self.path / "model"

    @property
    def stats(self) -> Path:
        """The statistics as JSON."""
        return self.path / "stats.json"

    @property
    def passages(self) -> Path:
        """The passages of the user's documents, a BEIR corpus."""
        return self.path / "passages.jsonl"

    @property
    def skipped(self) -> Path:
        """What of the documents gave no passage, and why."""
        return self.path / "skipped.jsonl"

    @property
    def passage_index(self) -> Path:
        """Where each passage stands in its file (`corpus/store.py`)."""
        return self.path / "stages" / "passages.index"

    @property
    def vectors(self) -> Path:
        """Vectors of the records' texts, as long as rounds of draws are refined again and again."""
        return self.path / "vectors"

    @property
    def spool(self) -> Path:
        """What came of the draws that are done, while the first stage goes on (`spool.py`)."""
        return self.path / "stages" / "generate.spool"

    def stage(self, name: str) -> Path:
        """The records that a stage passed on."""
        return self.path / "stages" / f"{name}.jsonl"

    def stage_rejected(self, name: str) -> Path:
        """The records that a stage did not pass on."""
        return self.path / "stages" / f"{name}.rejected.jsonl"

    def stage_order(self, name: str) -> Path:
        """Which of its items a stage passed on: "1" or "0" each."""
        return self.path / "stages" / f"{name}.order"

    def marker(self, name: str) -> Path:
        """The marker of a finished stage."""
        return self.path / "stages" / f"{name}.done.json"

    def require_stage(self, name: str) -> None:
        """Raise RunError unless the stage has written its files."""
        if not self.stage(name).is_file():
            raise RunError(
                f"{self.path}: the stage {name} has not run", hint=f"trine {name} {self.path}"
            )

    def drawn(self) -> int:
        """How many draws the run's files hold (0 before the first stage)."""
        files = (self.stage("generate"), self.stage_rejected("generate"))
        return sum(_lines(path) for path in files if path.is_file())

    def finished(self, name: str, key: str) -> dict[str, Any] | None:
        """The counts of a stage that is finished with this key, else None."""
        marker = self._marked(name, key)
        if marker is None:
            return None
        counts: dict[str, Any] = marker["counts"]
        return counts

    def marked(self, name: str) -> dict[str, Any] | None:
        """The counts of a stage that is finished, whatever its key; None where it is not."""
        try:
            counts: dict[str, Any] = json.loads(self.marker(name).read_text(encoding="utf-8"))[
                "counts"
            ]
        except (OSError, ValueError, KeyError):
            return None
        return counts

    def begun(self, name: str, key: str, source: Path) -> Begun | None:
        """What a stage with this key has done of a source, if that begins with what it read."""
        marker = self._marked(name, key)
        read = marker.get("source") if marker else None
        if marker is None or read is None:
            return None
        if file_hash(source, read["bytes"]) != read["hash"]:
            return None
        return Begun(marker["counts"], read["bytes"], read["bytes"] == source.stat().st_size)

    def _marked(self, name: str, key: str) -> dict[str, Any] | None:
        try:
            marker: dict[str, Any] = json.loads(self.marker(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return marker if marker.get("key") == key else None

    def finish(
        self, name: str, key: str, counts: Mapping[str, Any], source: Path | None = None
    ) -> None:
        """Mark a stage as finished, with the `source` that it has read; call it last."""
        marker: dict[str, Any] = {"key": key, "counts": dict(counts)}
        if source is not None:
            marker["source"] = {"bytes": source.stat().st_size, "hash": file_hash(source)}
        with write_whole(self.marker(name)) as file:
            json.dump(marker, file, indent=1, sort_keys=True)

    def unfinish(self, name: str) -> None:
        """Take a stage's marker away, before its files change."""
        self.marker(name).unlink(missing_ok=True)

    def write_manifest(self, content: Mapping[str, Any]) -> None:
        """Write `run.yaml`."""
        with write_whole(self.manifest) as file:
            yaml.safe_dump(dict(content), file, sort_keys=False, allow_unicode=True)

    def read_manifest(self) -> dict[str, Any]:
        """The content of `run.yaml`. Raises RunError where there is none."""
        if not self.manifest.is_file():
            raise RunError(
                f"{self.path}: no run here (no run.yaml)", hint="trine run -c quickstart makes one"
            )
        content: dict[str, Any] = read_yaml(self.manifest)
        return content


def is_run(path: Path) -> bool:
    """Whether a run lives in this folder; a folder of imported or mined records is none."""
    return RunFolder(path).manifest.is_file()


def existing_run(path: Path) -> RunFolder:
    """The run at `path`, to read. Raises RunError where there is none."""
    run = RunFolder(path)
    run.read_manifest()
    return run


@contextmanager
def open_run(path: Path) -> Iterator[RunFolder]:
    """The run at `path`, made where missing and locked against other processes.

    Raises RunError when another process has it, or when it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "lock").open("a+", encoding="utf-8")
    except OSError as exc:
        raise disk_error(exc, path) from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.seek(0)
            raise RunError(
                f"{path}: in use by another run (process {lock.read().strip() or '?'})",
                hint="wait for it, end it, or choose another folder with -o",
            ) from exc
        try:
            os.ftruncate(lock.fileno(), 0)
            os.write(lock.fileno(), str(os.getpid()).encode())
        except OSError as exc:
            raise disk_error(exc, path) from exc
        yield RunFolder(path)


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def file_hash(path: Path, size: int | None = None) -> str:
    """A hash of a file's content, or of its first `size` bytes."""
    digest = blake2b(digest_size=16)
    left = path.stat().st_size if size is None else size
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()
