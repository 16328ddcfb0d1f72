"""Every answer of a run in one SQLite file, keyed by the request; errors beside them.

An answer is committed before `record` returns: a killed run loses none. Commits of one turn of the
event loop are grouped. Everything after the journal can be made again from it without a call.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from generator.errors import JournalError, RunError
from generator.records import Completion, Prompt

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, draw TEXT, step TEXT, attempt INTEGER, model TEXT, text TEXT,
    finish_reason TEXT, prompt_tokens INTEGER, completion_tokens INTEGER,
    latency_s REAL, answered_at REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS errors (
    key TEXT, draw TEXT, step TEXT, attempt INTEGER, reason TEXT, detail TEXT, at REAL
);
CREATE INDEX IF NOT EXISTS errors_by_key ON errors (key);
"""


class Usage(NamedTuple):
    """What a journal's answers cost, in requests, tokens and seconds of latency."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    latency_s: float


class Journal:
    """The open journal at `path` (made where missing); a context manager.

    Raises JournalError when the file is none, is corrupted or comes from another version, and
    RunError when the disk is full or read-only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[tuple[tuple[object, ...], asyncio.Future[None]]] = []
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
        self._db.executescript(_SCHEMA)
        if version == 0:
            self._db.execute(f"PRAGMA user_version={VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._db.close()

    def get(self, key: str) -> Completion | None:
        """The answer to a request, if there is one."""
        with self._guard():
            row = self._db.execute(
                "SELECT text, finish_reason, prompt_tokens, completion_tokens, latency_s"
                " FROM answers WHERE key = ?",
                (key,),
            ).fetchone()
        return Completion(*row) if row else None

    async def record(self, prompt: Prompt, answer: Completion) -> Completion:
        """Commit an answer; returns what `get` will give, when it is on disk."""
        answer = replace(answer, text=_storable(answer.text))
        row = (
            prompt.key, prompt.draw, prompt.step, prompt.attempt, prompt.model, answer.text,
            answer.finish_reason, answer.prompt_tokens, answer.completion_tokens,
            answer.latency_s, time.time(),
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((row, done))
        await done
        return answer

    def _flush(self) -> None:
        """Commit all that waits as one transaction; each waiter learns how it went."""
        waiting, self._waiting = self._waiting, []
        error: Exception | None = None
        try:
            with self._guard():
                self._commit([row for row, _ in waiting])
        except Exception as exc:  # noqa: BLE001 - every waiter raises it
            error = exc
        for _, done in waiting:
            if done.done():  # the waiter was cancelled
                continue
            if error:
                done.set_exception(error)
            else:
                done.set_result(None)

    def _commit(self, rows: list[tuple[object, ...]]) -> None:
        try:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                with suppress(sqlite3.Error):  # the error at hand is the one to tell
                    self._db.execute("ROLLBACK")
            raise

    def log_error(self, prompt: Prompt, reason: str, detail: str) -> None:
        """Note a request that failed for good. It is no answer: a later run asks again."""
        row = (
            prompt.key, prompt.draw, prompt.step, prompt.attempt, reason,
            _storable(detail[:2000]), time.time(),
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

    def usage(self) -> dict[str, Usage]:
        """What the answers of each model cost."""
        with self._guard():
            rows = self._db.execute(
                "SELECT model, count(*), sum(prompt_tokens), sum(completion_tokens), sum(latency_s)"
                " FROM answers GROUP BY model ORDER BY model"
            ).fetchall()
        return {model: Usage(*rest) for model, *rest in rows}

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise journal_error(self.path, exc) from exc


def _storable(text: str) -> str:
    """The text without lone surrogates, which no database takes (parsing drops them too)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


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
