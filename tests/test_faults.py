"""What may go wrong around a run: it is told, and no answer is lost or paid for again."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.llm import patience
from tests.command import Trine, largest_file, recipe, start
from tests.conftest import MockServer, StartServer

CONCURRENCY = 8


@pytest.fixture
def trine(capsys: pytest.CaptureFixture[str]) -> Trine:
    """The command, in this process."""
    return Trine(capsys)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)],
        check=False, capture_output=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def asking(server: MockServer, **more: object) -> str:
    """The part of a recipe that asks a mock server."""
    keys = {"backend": "openai", "model": "mock", "base_url": server.base_url, **more}
    keys.setdefault("concurrency", CONCURRENCY)
    return json.dumps(keys)


def wait_for(server: MockServer, requests: int) -> None:
    """Return when the server has got so many requests."""
    while server.stats()["requests"] < requests:
        time.sleep(0.005)


def whole(folder: Path) -> dict[str, bytes]:
    """The files that the answers decide."""
    names = ("records.jsonl", "rejected.jsonl", "tasks.jsonl")
    return {name: (folder / name).read_bytes() for name in names}


def answers(folder: Path) -> int:
    """How many answers the journal of a run holds; it must be sound."""
    db = sqlite3.connect(folder / "journal.sqlite")
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count: int = db.execute("SELECT count(*) FROM answers").fetchone()[0]
        return count
    finally:
        db.close()


def draws_of(folder: Path) -> list[str]:
    """The draw of every row, kept or rejected."""
    found = []
    for name in ("records.jsonl", "rejected.jsonl"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            row = row.get("record") or row
            if "provenance" in row:
                draw = json.loads(row["provenance"]["draw"])
                found.append(f"{draw['family']} {draw['language']} {draw['index']}")
            else:
                family, _, rest = row["draw"].partition("@")
                found.append(f"{family} {rest.split('/')[2].replace('#', ' ')}")
    return found


def test_a_run_killed_three_times_pays_for_what_was_in_flight(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """After three SIGKILLs the files are those of a run that nobody killed, every draw once."""
    server = mock_server("--latency", "0.02", "--rate-truncated", "0.1", "--rate-garbage", "0.1")
    path = recipe(small_taxonomy, tmp_path, count=130, llm=asking(server))
    for requests in (40, 90, 150):
        run = start("run", "-c", path, "-q")
        wait_for(server, requests)
        run.kill()
        run.communicate()
        assert run.returncode == -signal.SIGKILL
    assert trine("run", "-c", path, "-q").code == 0
    assert server.stats()["repeated"] <= 3 * CONCURRENCY
    (tmp_path / "whole").mkdir()
    unbroken = recipe(small_taxonomy, tmp_path / "whole", count=130, llm=asking(server))
    assert trine("run", "-c", unbroken, "-q").code == 0
    assert whole(tmp_path / "run") == whole(tmp_path / "whole" / "run")
    drawn = draws_of(tmp_path / "run")
    assert (len(drawn), len(set(drawn))) == (130, 130)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_finishes_what_is_in_flight(
    small_taxonomy: tuple[Path, Path],
    tmp_path: Path,
    mock_server: StartServer,
    trine: Trine,
    number: signal.Signals,
) -> None:
    """^C and SIGTERM: nothing more is sent, all that was is kept, and the words that resume."""
    server = mock_server("--latency", "0.1")
    path = recipe(small_taxonomy, tmp_path, count=200, llm=asking(server))
    patient = "from generator import interrupts as i; i.GRACE_S = 3600"
    run = start("run", "-c", path, "-n", 200, before=patient)
    wait_for(server, 80)
    run.send_signal(number)
    _, err = run.communicate()
    assert run.returncode == 128 + number
    assert "Traceback" not in err
    assert "never retrieved" not in err
    assert "requests are in flight (again: drop them)" in err
    assert f"To go on:\n  trine run -c {path} -n 200\n" in err
    assert answers(tmp_path / "run") == server.stats()["requests"]
    assert trine("run", "-c", path).code == 0
    assert server.stats()["repeated"] == 0
    assert len(draws_of(tmp_path / "run")) == 200


def test_a_second_interrupt_drops_what_is_in_flight(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, mock_server: StartServer
) -> None:
    """It ends, though neither the server nor the first interrupt would end it within an hour."""
    server = mock_server("--straggler-rate", "0.3", "--straggler-latency", "3600")
    path = recipe(small_taxonomy, tmp_path, count=30, llm=asking(server))
    run = start("run", "-c", path, before="from generator import interrupts as i; i.GRACE_S = 3600")
    wait_for(server, 20)
    run.send_signal(signal.SIGINT)
    assert run.stderr is not None
    while "in flight" not in run.stderr.readline():
        pass
    while answers(tmp_path / "run") < (sent := server.stats())["requests"] - sent["stragglers"]:
        time.sleep(0.005)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode == 130
    assert sent["stragglers"] > 0
    assert answers(tmp_path / "run") >= sent["requests"] - sent["stragglers"] > 0


def test_a_full_disk_stops_the_run_and_loses_nothing(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, mock_server: StartServer, trine: Trine,
    small_disk: Path,
) -> None:  # fmt: skip
    """Exit 2 with the way out at every point where space runs out; with space, it goes on."""
    server = mock_server("--latency", "0")
    path = recipe(small_taxonomy, tmp_path, count=400, llm=asking(server))
    ended = trine("run", "-c", path, "-o", small_disk / "run", "-q")
    assert ended.code == 2
    assert "full" in ended.err or "No space" in ended.err
    assert "hint: free some space and run the same command: answers are kept" in ended.err
    kept = answers(small_disk / "run")
    assert kept > 10
    assert trine("run", "-c", path, "-o", small_disk / "run", "-q").code == 2
    before = server.stats()["requests"]
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert trine("run", "-c", path, "-o", small_disk / "run", "-q").code == 0
    assert len(draws_of(small_disk / "run")) == 400
    assert server.stats()["repeated"] <= 4 * CONCURRENCY
    assert before > kept


@pytest.mark.parametrize("room", [0, 4096, 20_480, 65_536, 150_000, 300_000, 450_000, 600_000])
def test_no_room_is_told_wherever_it_is_found_out(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, trine: Trine, room: int
) -> None:
    """Whichever file cannot grow, the command says so with exit 2, and later goes on to the end."""
    path = recipe(small_taxonomy, tmp_path, count=300)
    with largest_file(room):
        ended = trine("run", "-c", path, "-q")
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert ended.err.startswith("error: ")
    assert "\nhint: " in ended.err
    assert not list((tmp_path / "run").rglob("*.part"))
    assert trine("run", "-c", path, "-q").code == 0
    assert len(draws_of(tmp_path / "run")) == 300


def test_a_disk_that_may_not_be_written_to_is_refused(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, trine: Trine, small_disk: Path
) -> None:
    """A read-only output folder: exit 2 with -o as the way out, whatever is there already."""
    path = recipe(small_taxonomy, tmp_path, count=4)
    assert trine("run", "-c", path, "-o", small_disk / "run", "-q").code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for folder in (small_disk / "run", small_disk / "new"):
        ended = trine("run", "-c", path, "-o", folder)
        assert ended.code == 2
        assert "Read-only file system" in ended.err
        assert "hint: choose a folder you may write to with -o" in ended.err
    exported = trine("export", small_disk / "run", "--format", "beir", "-o", small_disk / "beir")
    assert (exported.code, "Read-only" in exported.err) == (2, True)


def test_a_file_in_the_folders_place_is_refused(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, trine: Trine
) -> None:
    """The output is a file, or below one: exit 2, and the file is left alone."""
    path = recipe(small_taxonomy, tmp_path, count=4)
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for output in (taken, taken / "below"):
        ended = trine("run", "-c", path, "-o", output)
        assert ended.code == 2
        assert "cannot be written" in ended.err
        assert "-o" in ended.err
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("damage", ["version", "header", "page"])
def test_a_journal_that_cannot_be_used_is_left_alone(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, trine: Trine, damage: str
) -> None:
    """From another version, not SQLite, or damaged: exit 2, what to do, and no byte changed."""
    path = recipe(small_taxonomy, tmp_path, count=60)
    assert trine("run", "-c", path, "-q").code == 0
    journal = tmp_path / "run" / "journal.sqlite"
    if damage == "version":
        db = sqlite3.connect(journal)
        db.execute("PRAGMA user_version=99")
        db.close()
    pages = bytearray(journal.read_bytes())
    if damage == "header":
        pages[:100] = os.urandom(100)
    if damage == "page":
        for start_of in range(4096 * 3, len(pages), 4096):
            pages[start_of : start_of + 64] = b"\xa5" * 64
    journal.write_bytes(pages)
    before = whole(tmp_path / "run")
    ended = trine("run", "-c", path, "-n", 61, "-q")
    assert ended.code == 2
    assert ("version 99" if damage == "version" else "corrupted") in ended.err
    assert "-o" in ended.err
    assert journal.read_bytes() == bytes(pages)
    assert whole(tmp_path / "run") == before


def test_a_wrong_key_is_told_and_the_next_run_goes_on(
    small_taxonomy: tuple[Path, Path],
    tmp_path: Path,
    mock_server: StartServer,
    trine: Trine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """401: exit 2 with the variable to set; with the right key the run ends, no key in a file."""
    server = mock_server("--latency", "0", "--key", "sk-right-key")
    path = recipe(small_taxonomy, tmp_path, llm=asking(server))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-key")
    ended = trine("run", "-c", path)
    assert ended.code == 2
    assert "refused the key (401)" in ended.err
    assert "hint: export OPENAI_API_KEY=" in ended.err
    monkeypatch.setenv("OPENAI_API_KEY", "sk-right-key")
    done = trine("run", "-c", path, "--json")
    assert done.code == 0
    assert "sk-" not in ended.out + ended.err + done.out + done.err
    for file in (tmp_path / "run").rglob("*"):
        assert not file.is_file() or b"sk-" not in file.read_bytes(), file


def test_a_server_that_is_not_there_is_told(
    small_taxonomy: tuple[Path, Path],
    tmp_path: Path,
    trine: Trine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit 2 with the address and what to check; nothing is counted as rejected."""
    monkeypatch.setattr(patience, "backoff_s", lambda _: 0.01)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = MockServer(taken.getsockname()[1])
        path = recipe(small_taxonomy, tmp_path, llm=asking(server))
        ended = trine("run", "-c", path)
    assert ended.code == 2
    assert f"error: {server.base_url} cannot be reached: " in ended.err
    assert "hint: start the server or check --set llm.base_url" in ended.err
    assert answers(tmp_path / "run") == 0
    assert not (tmp_path / "run" / "records.jsonl").exists()


def test_an_outage_does_not_stop_the_run(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """Ten times 503 in the middle cost no draw."""
    server = mock_server("--latency", "0.01", "--outage-requests", "60", "10")
    path = recipe(small_taxonomy, tmp_path, count=100, llm=asking(server))
    assert trine("run", "-c", path, "-q").code == 0
    assert server.stats()["by_status"]["503"] == 10
    rejected = (tmp_path / "run" / "stages" / "generate.rejected.jsonl").read_text()
    assert rejected == ""


def test_every_fault_at_once_is_accounted_for(
    small_taxonomy: tuple[Path, Path],
    tmp_path: Path,
    mock_server: StartServer,
    trine: Trine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """429, 500, resets, bad bytes, broken and empty texts: each draw ends once, with its reason."""
    monkeypatch.setattr(patience, "backoff_s", lambda _: 0.001)
    server = mock_server(
        "--latency", "0", "--retry-after", "0.01", "--rate-429", "0.05", "--rate-500", "0.05",
        "--rate-reset", "0.05", "--rate-truncated", "0.1", "--rate-garbage", "0.1",
        "--rate-empty", "0.1", "--rate-bad-bytes", "0.1", "--no-response-format",
    )  # fmt: skip
    llm = asking(server, max_attempts=1, max_retries=3)
    path = recipe(small_taxonomy, tmp_path, count=200, families="[steps]", llm=llm)
    assert trine("run", "-c", path, "-q").code == 1  # no text of the mock fits these steps
    drawn = draws_of(tmp_path / "run")
    assert (len(drawn), len(set(drawn))) == (200, 200)
    stages = tmp_path / "run" / "stages"
    rows = [
        json.loads(line) for line in (stages / "generate.rejected.jsonl").read_text().splitlines()
    ]
    reasons = {row["reason"] for row in rows}
    assert {"bad_response", "no_json_object", "answer_empty", "answer_truncated"} <= reasons
    allowed = {"field_missing", "http_500", "http_429", "connection_lost"}
    assert reasons <= allowed | {
        "bad_response", "no_json_object", "answer_empty", "answer_truncated"
    }  # fmt: skip
    failed = sum(row["stage"] == "generate" for row in rows)
    db = sqlite3.connect(tmp_path / "run" / "journal.sqlite")
    logged = db.execute("SELECT count(DISTINCT key) FROM errors").fetchone()[0]
    db.close()
    assert logged == failed > 0
    sent = server.stats()["requests"]
    assert trine("run", "-c", path, "-q").code == 1
    assert server.stats()["requests"] - sent >= failed
