"""The journal: what it keeps, whom it refuses, and what it says when the disk is full."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import JournalError, RunError
from generator.llm.journal import Journal, Usage
from generator.records import Completion, Message, Params, Prompt
from tests.command import largest_file


def prompt(number: int = 0, *, attempt: int = 0) -> Prompt:
    """A request that differs from others by number and attempt."""
    messages = (Message("user", f"write {number}"),)
    return Prompt("model", f"family@1/single/en#{number}", "write", attempt, messages, Params(), "")


def record(journal: Journal, *answers: tuple[Prompt, Completion]) -> None:
    """Commit answers, all of one turn of the event loop."""

    async def commit() -> None:
        await asyncio.gather(*(journal.record(asked, answer) for asked, answer in answers))

    asyncio.run(commit())


def test_an_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    """Text, reason, tokens and latency survive closing and opening; another attempt is another."""
    answer = Completion("text\nwith ünï¢ode 日本", "length", 12, 34, 0.25)
    with Journal(tmp_path / "j.sqlite") as journal:
        record(journal, (prompt(), answer))
    with Journal(tmp_path / "j.sqlite") as journal:
        assert journal.get(prompt().key) == answer
        assert journal.get(prompt(attempt=1).key) is None
        assert journal.usage() == {("model", False): Usage(1, 12, 34, 0.25)}


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_be_kept(text: str) -> None:
    """NULs and all of Unicode come back; a lone surrogate, which no database takes, does not."""
    with Journal(Path(":memory:")) as journal:
        record(journal, (prompt(), Completion(text + "\ud800")))
        kept = journal.get(prompt().key)
        assert kept is not None
        assert kept.text == text + "\ufffd"


def test_the_first_answer_stays(tmp_path: Path) -> None:
    """An answer to a request that is answered already changes nothing."""
    with Journal(tmp_path / "j.sqlite") as journal:
        record(journal, (prompt(), Completion("first")), (prompt(), Completion("second")))
        record(journal, (prompt(), Completion("third")))
        assert journal.get(prompt().key) == Completion("first")


def test_an_answer_is_on_disk_before_anything_else_happens(tmp_path: Path) -> None:
    """Without a turn of the event loop in between: another connection sees it at once."""
    path = tmp_path / "j.sqlite"
    with Journal(path) as journal, Journal(path) as reader:
        for number in range(5):
            step = journal.record(prompt(number), Completion(str(number)))
            with pytest.raises(StopIteration):
                step.send(None)
            assert reader.get(prompt(number).key) == Completion(str(number))


def test_the_log_beside_the_journal_is_moved_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Now and then, in a thread of its own; a log that has grown long begins anew."""
    monkeypatch.setattr("generator.llm.journal._CHECKPOINT_EVERY", 20)
    monkeypatch.setattr("generator.llm.journal._LONGEST_LOG_PAGES", 30)
    path = tmp_path / "j.sqlite"
    with Journal(path) as journal:
        longest = 0
        for number in range(400):
            record(journal, (prompt(number), Completion("x" * 3000)))
            if journal._moving is not None:
                journal._moving.result()
            longest = max(longest, path.with_name("j.sqlite-wal").stat().st_size)
        assert path.stat().st_size > 1_000_000
        assert longest < 600_000
        assert all(journal.get(prompt(number).key) for number in range(400))


def test_a_journal_of_the_first_layout_goes_on(tmp_path: Path) -> None:
    """Rows by key, without the later columns: its answers are found, and new ones kept."""
    path = tmp_path / "j.sqlite"
    db = sqlite3.connect(path)
    db.executescript(
        "CREATE TABLE answers (key TEXT PRIMARY KEY, draw TEXT, step TEXT, attempt INTEGER,"
        " model TEXT, text TEXT, finish_reason TEXT, prompt_tokens INTEGER,"
        " completion_tokens INTEGER, latency_s REAL, answered_at REAL) WITHOUT ROWID;"
        "PRAGMA user_version=1;"
    )
    row = (prompt().key, "", "write", 0, "model", "old", "stop", 1, 2, 0.5, 0.0)
    db.execute(f"INSERT INTO answers VALUES ({', '.join('?' * len(row))})", row)
    db.commit()
    db.close()
    with Journal(path) as journal:
        assert journal.get(prompt().key) == Completion("old", "stop", 1, 2, 0.5)
        record(journal, (prompt(1), Completion("new", batched=True)))
        assert journal.get(prompt(1).key) == Completion("new", batched=True)


def test_a_cancelled_waiter_loses_no_answer(tmp_path: Path) -> None:
    """An answer handed over is kept although nobody waits for its commit any more."""
    with Journal(tmp_path / "j.sqlite") as journal:

        async def cancel() -> None:
            tasks = [
                asyncio.create_task(journal.record(prompt(n), Completion("kept"))) for n in (0, 1)
            ]
            asyncio.get_running_loop().call_soon(tasks[0].cancel)
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(cancel())
        assert [journal.get(prompt(n).key) for n in (0, 1)] == [Completion("kept")] * 2


def test_an_error_is_no_answer(tmp_path: Path) -> None:
    """The last failure of a request can be read, and the request still counts as unanswered."""
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.log_error(prompt(), "http_500", "first")
        journal.log_error(prompt(), "timeout", "x" * 5000 + "\ud800")
        journal.log_error(prompt(1), "bad_response", "bytes \ud800")
        assert journal.get(prompt().key) is None
        assert journal.last_error(prompt().key) == ("timeout", "x" * 2000)
        assert journal.last_error(prompt(1).key) == ("bad_response", "bytes \ufffd")
        assert journal.last_error(prompt(2).key) is None
        assert journal.usage() == {}


def test_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A journal of a later trine is not touched, and both versions are named."""
    path = tmp_path / "j.sqlite"
    Journal(path)._db.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="version 99; this trine writes 1") as caught:
        Journal(path)
    assert "-o" in caught.value.hint
    assert path.read_bytes() == before


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    """Garbage is called corrupted, with a command that saves what can be saved."""
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(JournalError, match="corrupted") as caught:
        Journal(path)
    assert f"sqlite3 {path} .recover" in caught.value.hint
    assert path.read_bytes() == b"garbage" * 1000


def test_garbage_in_a_page_is_told_when_it_is_read(tmp_path: Path) -> None:
    """A damaged page is a JournalError, and never a wrong answer."""
    path = tmp_path / "j.sqlite"
    answers = [(prompt(n), Completion(f"answer {n} " * 50)) for n in range(200)]
    with Journal(path) as journal:
        record(journal, *answers)
    pages = bytearray(path.read_bytes())
    for start in range(4096 * 4, len(pages), 4096):
        pages[start : start + 200] = b"\xa5" * 200
    path.write_bytes(pages)
    with Journal(path) as journal:

        def read() -> None:
            for asked, answer in answers:
                assert journal.get(asked.key) in {None, answer}

        with pytest.raises(JournalError, match="corrupted"):
            read()


def test_a_full_disk_is_told_to_every_waiter_and_loses_nothing(tmp_path: Path) -> None:
    """The answers before it are kept, those of the failed commit raise, and it goes on later."""
    path = tmp_path / "j.sqlite"
    big = Completion("x" * 50_000)
    with Journal(path) as journal:
        record(journal, (prompt(), Completion("kept")))

        async def fill() -> list[BaseException | None]:
            return await asyncio.gather(
                *(journal.record(prompt(n), big) for n in (1, 2)), return_exceptions=True
            )

        def log() -> None:
            for _ in range(1000):
                journal.log_error(prompt(), "reason", "x" * 2000)

        with largest_file(40_000):
            failures = asyncio.run(fill())
            with pytest.raises(RunError, match="disk I/O"):
                log()
        assert [type(failure) for failure in failures] == [RunError, RunError]
        assert "answers are kept" in getattr(failures[0], "hint", "")
    with Journal(path) as journal:
        assert journal.get(prompt().key) == Completion("kept")
        record(journal, (prompt(1), big))
        assert journal.get(prompt(1).key) == big


def test_no_journal_where_there_is_no_folder(tmp_path: Path) -> None:
    """A path that cannot be opened is a RunError that points to -o."""
    with pytest.raises(RunError, match="unable to open") as caught:
        Journal(tmp_path / "missing" / "j.sqlite")
    assert "-o" in caught.value.hint


def test_an_older_journal_gets_the_new_columns(tmp_path: Path) -> None:
    """Its answers are read as before; new ones have their cached and reasoning tokens."""
    path = tmp_path / "journal.sqlite"
    db = sqlite3.connect(path)
    db.executescript(
        "CREATE TABLE answers (key TEXT PRIMARY KEY, draw TEXT, step TEXT, attempt INTEGER,"
        " model TEXT, text TEXT, finish_reason TEXT, prompt_tokens INTEGER,"
        " completion_tokens INTEGER, latency_s REAL, answered_at REAL) WITHOUT ROWID;"
        "PRAGMA user_version=1;"
    )
    row = (prompt().key, "d", "write", 0, "model", "old", "stop", 3, 4, 0.5, 1.0)
    with db:
        db.execute(f"INSERT INTO answers VALUES ({', '.join('?' * 11)})", row)
    db.close()
    new = Completion("new", "stop", 10, 20, 0.5, cached_tokens=6, reasoning_tokens=7, batched=True)
    with Journal(path) as journal:
        assert journal.get(prompt().key) == Completion("old", "stop", 3, 4, 0.5)
        record(journal, (prompt(1), new))
    with Journal(path) as journal:
        assert journal.get(prompt(1).key) == new
        assert journal.usage() == {
            ("model", False): Usage(1, 3, 4, 0.5),
            ("model", True): Usage(1, 10, 20, 0.5, 6, 7),
        }
        assert journal.draws() == {"d", prompt(1).draw}
