"""Every answer of a run in one SQLite file, keyed by the request; errors beside them.

An answer is committed as it comes, before `record` returns: a killed run loses none. Everything
after the journal can be made again from it without a call.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from generator.errors import JournalError, RunError
from generator.records import Completion, Prompt
from generator.text import storable

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, draw TEXT, step TEXT, attempt INTEGER, model TEXT, text TEXT,
    finish_reason TEXT, prompt_tokens INTEGER, completion_tokens INTEGER,
    latency_s REAL, answered_at REAL,
    cached_tokens INTEGER NOT NULL DEFAULT 0, reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    batched INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS errors (
    key TEXT, draw TEXT, step TEXT, attempt INTEGER, reason TEXT, detail TEXT, at REAL
);
CREATE INDEX IF NOT EXISTS errors_by_key ON errors (key);
"""


_INSERT = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CHECKPOINT_EVERY = 500  # answers
_LONGEST_LOG_PAGES = 16_384  # of 4 kB
# Columns that the first journals did not have.
_ADDED = ("cached_tokens", "reasoning_tokens", "batched")


class Usage(NamedTuple):
    """What a journal's answers cost, in requests, tokens and seconds of latency."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    latency_s: float
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Asked(NamedTuple):
    """Answers of a model about some draws, `of` "family@version/form/language", and their tokens.

    `again` of them are not the first to their request: those before did not parse.
    """

    model: str
    of: str
    batched: bool
    answers: int
    again: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int


class Journal:
    """The open journal at `path` (made where missing); a context manager.

    Raises JournalError when the file is none, is corrupted or comes from another version, and
    RunError when the disk is full or read-only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._recorded = 0
        self._mark: int | None = None
        self._mover = ThreadPoolExecutor(1, "journal")
        self._moving: Future[int] | None = None
        with self._guard():
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            with self._guard():
                self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, VERSION}:
            raise JournalError(
                f"{self.path}: a journal of version {version}; this trine writes {VERSION}",
                hint="use the trine that wrote it, or another output folder (-o)",
            )
        self._db.execute("PRAGMA journal_mode=WAL")
        # NORMAL: safe against a killed process; a power cut may lose the last moments.
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint=0")  # see `_checkpoint`
        self._db.executescript(_SCHEMA)
        found = {row[1] for row in self._db.execute("PRAGMA table_info(answers)")}
        for name in _ADDED:
            if name not in found:
                self._db.execute(
                    f"ALTER TABLE answers ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0"
                )
        if version == 0:
            self._db.execute(f"PRAGMA user_version={VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._mover.shutdown()
        self._db.close()

    @property
    def mark(self) -> int:
        """How many answers it holds: what was made of the first n stays good as long as n do.

        -1 where somebody took some out, or where the layout is too old to tell.
        """
        if self._mark is None:
            try:
                found = self._db.execute("SELECT count(*), coalesce(max(rowid), 0) FROM answers")
                count, newest = found.fetchone()
            except sqlite3.Error:  # of a damaged file the next `get` will tell
                count, newest = 0, -1
            self._mark = count if count == newest else -1
        return self._mark

    def get(self, key: str) -> Completion | None:
        """The answer to a request, if there is one."""
        with self._guard():
            row = self._db.execute(
                "SELECT text, finish_reason, prompt_tokens, completion_tokens, latency_s,"
                " cached_tokens, reasoning_tokens, batched FROM answers WHERE key = ?",
                (key,),
            ).fetchone()
        return _completion(*row) if row else None

    async def record(self, prompt: Prompt, answer: Completion) -> Completion:
        """Commit an answer; returns what `get` will give, when it is on disk."""
        text = storable(answer.text)
        if text is not answer.text:
            answer = replace(answer, text=text)
        row = (
            prompt.key, prompt.draw, prompt.step, prompt.attempt, prompt.model, text,
            answer.finish_reason, answer.prompt_tokens, answer.completion_tokens,
            answer.latency_s, time.time(),
            answer.cached_tokens, answer.reasoning_tokens, answer.batched,
        )  # fmt: skip
        with self._guard():
            made = self._db.execute(_INSERT, row)
        if self._mark is not None and self._mark >= 0:
            self._mark += made.rowcount  # 0 where it was known
        self._recorded += 1
        if self._recorded % _CHECKPOINT_EVERY == 0:
            self._checkpoint()
        return answer

    def _checkpoint(self) -> None:
        """Move what is in the write-ahead log to its place, beside the run: it waits for the disk.

        As long as answers come the log is never empty and so grows. When it is long, the little
        that is left is moved here, and it begins anew.
        """
        if self._moving is not None and not self._moving.done():
            return
        if self._moving is not None and self._moving.result() > _LONGEST_LOG_PAGES:
            with self._guard():
                self._db.execute("PRAGMA wal_checkpoint(RESTART)")
        self._moving = self._mover.submit(_moved, self.path)

    def log_error(self, prompt: Prompt, reason: str, detail: str) -> None:
        """Note a request that failed for good. It is no answer: a later run asks again."""
        row = (
            prompt.key, prompt.draw, prompt.step, prompt.attempt, reason,
            storable(detail[:2000]), time.time(),
        )  # fmt: skip
        with self._guard():
            self._db.execute("INSERT INTO errors VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def last_error(self, key: str) -> tuple[str, str] | None:
        """Reason and detail of a request's last failure, if it has failed."""
        with self._guard():
            row: tuple[str, str] | None = self._db.execute(
                "SELECT reason, detail FROM errors WHERE key = ? ORDER BY rowid DESC LIMIT 1",
                (key,),
            ).fetchone()
        return row

    def draws(self) -> set[str]:
        """The ids of the draws (not of brainstorming calls) that have an answer."""
        with self._guard():
            rows = self._db.execute("SELECT DISTINCT draw FROM answers WHERE step != 'brainstorm'")
            return {row[0] for row in rows}

    def usage(self) -> dict[tuple[str, bool], Usage]:
        """What the answers cost, by model and by whether they came through a batch."""
        with self._guard():
            rows = self._db.execute(
                "SELECT model, batched, count(*), sum(prompt_tokens), sum(completion_tokens),"
                " sum(latency_s), sum(cached_tokens), sum(reasoning_tokens)"
                " FROM answers GROUP BY model, batched ORDER BY model, batched"
            ).fetchall()
        return {(model, bool(batched)): Usage(*rest) for model, batched, *rest in rows}

    def asked(self) -> list[Asked]:
        """What was asked, by model, the draws' family, form and language, and batch or not."""
        with self._guard():
            rows = self._db.execute(
                "SELECT model, substr(draw, 1, instr(draw, '#') - 1), batched, count(*),"
                " sum(attempt > 0), sum(prompt_tokens), sum(completion_tokens),"
                " sum(cached_tokens), sum(reasoning_tokens)"
                " FROM answers GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
            ).fetchall()
        return [Asked(model, of, bool(batched), *rest) for model, of, batched, *rest in rows]

    def failed(self) -> list[tuple[str, str, int]]:
        """Draw and step of requests that failed for good, and how often."""
        with self._guard():
            rows = self._db.execute(
                "SELECT draw, step, count(*) FROM errors GROUP BY 1, 2 ORDER BY 1, 2"
            ).fetchall()
        return [(draw, step, int(times)) for draw, step, times in rows]

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise journal_error(self.path, exc) from exc


def _completion(
    text: str, reason: str, asked: int, written: int, latency_s: float, *rest: int
) -> Completion:
    cached, reasoning, batched = rest
    return Completion(text, reason, asked, written, latency_s, cached, reasoning, bool(batched))


def _moved(path: Path) -> int:
    """Checkpoint as far as goes without anybody waiting; how long the log is, in pages."""
    with suppress(sqlite3.Error):  # of a full disk the next answer will tell
        db = sqlite3.connect(path)
        try:
            pages: int = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
        finally:
            db.close()
        return pages
    return 0


def journal_error(path: Path, exc: sqlite3.Error) -> RunError:
    """What a failure of SQLite means to the user."""
    text = str(exc)
    if "full" in text or "disk I/O" in text:
        return RunError(
            f"{path}: {text}", hint="free some space and run the same command: answers are kept"
        )
    if "readonly" in text or "unable to open" in text:
        return RunError(f"{path}: {text}", hint="choose a folder you may write to with -o")
    if "locked" in text:
        return RunError(f"{path}: {text}", hint="another program has it open: end that first")
    salvage = f"sqlite3 {path} .recover | sqlite3 {path.with_suffix('.recovered.sqlite')}"
    return JournalError(
        f"{path}: the journal is corrupted ({text})",
        hint=f"{salvage}   (then put it in the journal's place; or use another folder with -o)",
    )
