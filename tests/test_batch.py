"""The batch back end against a provider of batches, and killed between every two steps."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from generator.mineconfig import MineConfig
from generator.mining import mine_file
from generator.modelconfig import ModelConfig
from generator.records import make_record, to_json
from tests.command import Trine, recipe, start
from tests.conftest import MockServer, StartServer

Small = tuple[Path, Path]
FILES = ("records.jsonl", "rejected.jsonl", "tasks.jsonl")


@pytest.fixture
def trine(capsys: pytest.CaptureFixture[str]) -> Trine:
    """The command, in this process."""
    return Trine(capsys)


def provider(mock_server: StartServer, *flags: str) -> MockServer:
    """A provider of batches."""
    return mock_server(*flags, script="mock_batches.py")


def tell(server: MockServer, what: str) -> None:
    """`hold`, `release`, `stall?at=POINT`."""
    urllib.request.urlopen(f"http://127.0.0.1:{server.port}/{what}").close()


def asking(server: MockServer, *, batch: dict[str, object] | None = None, **more: object) -> str:
    """The part of a recipe that asks a provider of batches, with short waits."""
    waits = {"linger_s": 0.15, "poll_s": 0.02, "max_poll_s": 0.05, **(batch or {})}
    keys = {"backend": "batch", "model": "mock", "base_url": server.base_url, "batch": waits}
    return json.dumps({**keys, **more})


def recipe_in(small: Small, folder: Path, server: MockServer, **keys: object) -> Path:
    """A recipe that writes to `folder`."""
    folder.mkdir(exist_ok=True)
    keys.setdefault("count", 24)
    keys.setdefault("llm", asking(server))
    return recipe(small, folder, **keys)


def whole(folder: Path) -> dict[str, bytes]:
    """The files that the answers decide."""
    return {name: (folder / "run" / name).read_bytes() for name in FILES}


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    """Rows of a run's journal."""
    db = sqlite3.connect(folder / "run" / "journal.sqlite")
    found = db.execute(query).fetchall()
    db.close()
    return found


def unbroken(small: Small, folder: Path, server: MockServer, trine: Trine) -> dict[str, bytes]:
    """What the same draws give where nobody disturbs them."""
    assert trine("run", "-c", recipe_in(small, folder, server), "-q").code == 0
    return whole(folder)


def test_a_run_goes_through_in_waves(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """Brainstorming first, then what needs it; nothing is left behind, here or there."""
    server = provider(mock_server)
    path = recipe_in(small_taxonomy, tmp_path, server)
    ended = trine("run", "-c", path, "-q")
    assert ended.code == 0
    stats = server.stats()
    answers = len(rows(tmp_path, "SELECT key FROM answers"))
    assert stats["answered"] == answers > 24
    assert 2 <= stats["batches"] <= answers // 4  # few, where a stalled process makes some more
    assert stats["repeated"] == 0
    assert stats["deleted"] == stats["batches"]
    assert not (tmp_path / "run" / "batches").exists()
    assert rows(tmp_path, "SELECT DISTINCT batched, latency_s FROM answers") == [(1, 0.0)]
    assert trine("run", "-c", path, "-q").code == 0
    assert server.stats() == stats


def test_an_address_may_hold_a_query(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """As Azure's does: it goes behind every path."""
    server = provider(mock_server)
    llm = asking(server, base_url=server.base_url + "?api-version=1")
    path = recipe_in(small_taxonomy, tmp_path, server, llm=llm, count=4)
    assert trine("run", "-c", path, "-q").code == 0
    assert server.stats()["answered"] > 4


def test_batches_keep_to_the_providers_limits(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """By requests, by bytes and by tokens; a queue of tokens is never more than full."""
    for name, limits in (
        ("requests", {"max_requests": 5}),
        ("bytes", {"max_bytes": 3_000}),
        ("tokens", {"max_enqueued_tokens": 80}),
    ):
        server = provider(mock_server, "--max-requests", "6")
        llm = asking(server, batch=limits)
        keys = {"llm": llm, "families": "[steps]", "count": 12}
        path = recipe_in(small_taxonomy, tmp_path / name, server, **keys)
        assert trine("run", "-c", path, "-q").code == 0
        assert server.stats()["answered"] == 24
        assert server.stats()["batches"] >= 4


def test_a_batch_that_is_too_large_for_the_provider_is_told(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """Exit 2 with the provider's words and what to change; with that, the run goes on."""
    server = provider(mock_server, "--max-requests", "4")
    path = recipe_in(small_taxonomy, tmp_path, server)
    ended = trine("run", "-c", path, "-q")
    assert ended.code == 2
    assert "refused a batch: invalid_request: the batch is refused" in ended.err
    assert "--set llm.batch.max_requests=" in ended.err
    assert trine("run", "-c", path, "-q", "--set", "llm.batch.max_requests=4").code == 0
    assert server.stats()["repeated"] == 0


def test_failures_inside_a_batch_come_again_in_the_next(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """500, 429, status 0, and no line at all: every draw has its record, paid for once."""
    server = provider(
        mock_server, "--rate-500", "0.15", "--rate-429", "0.1", "--rate-zero", "0.1",
        "--rate-missing", "0.1",
    )  # fmt: skip
    path = recipe_in(small_taxonomy, tmp_path, server)
    assert trine("run", "-c", path, "-q").code == 0
    assert server.stats()["repeated"] == 0
    assert server.stats()["batches"] > 3
    assert rows(tmp_path, "SELECT count(*) FROM errors") == [(0,)]
    calm = provider(mock_server)
    assert whole(tmp_path) == unbroken(small_taxonomy, tmp_path / "calm", calm, trine)


def test_a_failure_that_stays_is_accounted_for(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """After `max_retries` batches its draw is rejected by the provider's word, and asked again."""
    server = provider(mock_server, "--rate-500", "0.3", "--rate-missing", "0.3")
    path = recipe_in(
        small_taxonomy, tmp_path, server, families="[steps]", llm=asking(server, max_retries=1)
    )
    assert trine("generate", "-c", path, "-q").code == 0
    reasons = {reason for (reason,) in rows(tmp_path, "SELECT DISTINCT reason FROM errors")}
    assert reasons == {"http_500", "batch_incomplete"}
    rejected = (tmp_path / "run" / "stages" / "generate.rejected.jsonl").read_text().splitlines()
    assert 0 < len(rejected) < 24
    for _ in range(8):
        trine("generate", "-c", path, "-q")
    assert (tmp_path / "run" / "stages" / "generate.rejected.jsonl").read_text() == ""
    assert server.stats()["repeated"] == 0


@pytest.mark.parametrize("end", ["expired", "cancelled"])
def test_a_batch_that_ends_early_gives_what_it_has(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine, end: str
) -> None:
    """Its other half comes again in the next batch."""
    server = provider(mock_server, "--end", end)
    path = recipe_in(small_taxonomy, tmp_path, server)
    assert trine("run", "-c", path, "-q").code == 0
    assert server.stats()["repeated"] == 0
    calm = provider(mock_server)
    assert whole(tmp_path) == unbroken(small_taxonomy, tmp_path / "calm", calm, trine)


def test_a_provider_without_room_is_waited_for(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """A batch refused for its tokens is created again from the file that is there."""
    server = provider(mock_server, "--no-room", "3")
    assert trine("run", "-c", recipe_in(small_taxonomy, tmp_path, server), "-q").code == 0
    assert server.stats()["batches"] >= 5
    assert server.stats()["repeated"] == 0


def test_a_refused_response_format_is_left_out_of_the_next_batch(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """No retry is used up, and no draw is lost."""
    server = provider(mock_server, "--no-response-format")
    llm = asking(server, max_retries=0)
    path = recipe_in(small_taxonomy, tmp_path, server, families="[steps]", llm=llm)
    assert trine("run", "-c", path, "-q").code == 0
    assert rows(tmp_path, "SELECT count(*) FROM errors") == [(0,)]
    assert (tmp_path / "run" / "records.jsonl").read_text()


def test_a_wrong_key_is_told(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Exit 2; the key of the named variable is taken, and with it the run goes on."""
    server = provider(mock_server, "--key", "sk-right")
    llm = asking(server, api_key_env="BATCH_KEY")
    path = recipe_in(small_taxonomy, tmp_path, server, llm=llm)
    unset = trine("run", "-c", path, "-q")
    assert (unset.code, "hint: export BATCH_KEY=…" in unset.err) == (2, True)
    monkeypatch.setenv("BATCH_KEY", "sk-wrong")
    ended = trine("run", "-c", path, "-q")
    assert ended.code == 2
    assert "refused the key (401)" in ended.err
    monkeypatch.setenv("BATCH_KEY", "sk-right")
    assert trine("run", "-c", path, "-q").code == 0
    assert server.stats()["repeated"] == 0
    for file in (tmp_path / "run").rglob("*"):
        assert not file.is_file() or b"sk-" not in file.read_bytes(), file


def test_a_cap_counts_the_price_of_batches(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """Half of the price; at the cap the run stops, and goes on when it is raised."""
    server = provider(mock_server)
    prices = {"input_usd_per_million": 1000.0, "output_usd_per_million": 2000.0}
    llm = asking(server, max_tokens=300, **prices)
    path = recipe_in(small_taxonomy, tmp_path, server, families="[steps]", llm=llm)
    stopped = trine("run", "-c", path, "--max-cost", "2", "-q")
    assert stopped.code == 1
    paid = [
        (int(str(asked)) + 2 * int(str(written))) / 2000
        for asked, written in rows(tmp_path, "SELECT prompt_tokens, completion_tokens FROM answers")
    ]
    assert 2 - max(paid) <= sum(paid) <= 2 + max(paid)
    assert trine("run", "-c", path, "--max-cost", "200", "-q").code == 0
    assert server.stats()["repeated"] == 0


def test_a_judge_goes_through_batches_of_its_own(tmp_path: Path, mock_server: StartServer) -> None:
    """They lie where it works and are gone at the end; a pair of two records is graded once."""
    texts = [f"Bees of the valley number {n} were found by shepherds in spring." for n in range(9)]
    records = [
        make_record(family="f", task=task, language="en", query=f"bees number {n}",
                    positives=(texts[n],))
        for n in range(4) for task in ("Find it.", "Find the passage.")
    ]  # fmt: skip
    (tmp_path / "records.jsonl").write_text("".join(to_json(r) + "\n" for r in records))
    (tmp_path / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": str(n), "text": text}) + "\n" for n, text in enumerate(texts))
    )
    server = provider(mock_server)
    llm = ModelConfig.model_validate(json.loads(asking(server)))
    config = MineConfig(corpus=tmp_path / "corpus.jsonl", teacher="llm", rank_max=5)
    mine_file(tmp_path / "records.jsonl", tmp_path / "out", config, llm=llm)
    stats = server.stats()
    assert (stats["repeated"], stats["deleted"]) == (0, stats["batches"])
    assert stats["answered"] > 9
    assert list(Path().iterdir()) == []
    names = {path.name for path in (tmp_path / "out" / "mine").iterdir()}
    assert "judge.sqlite" in names
    assert names.isdisjoint({"journal.sqlite", "batches"})


# Killed


def test_a_run_killed_while_the_provider_works_loses_and_repeats_nothing(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """SIGKILL with two batches at the provider; they end without us; the next run takes them up."""
    server = provider(mock_server, "--hold", "--rate-500", "0.1")
    llm = asking(server, batch={"max_requests": 12})
    path = recipe_in(small_taxonomy, tmp_path, server, families="[steps]", llm=llm)
    run = start("run", "-c", path, "-q")
    while server.stats()["batches"] < 2:
        time.sleep(0.01)
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    assert rows(tmp_path, "SELECT count(*) FROM answers") == [(0,)]
    tell(server, "release")
    assert trine("run", "-c", path, "-q").code == 0
    stats = server.stats()
    assert (stats["answered"], stats["repeated"]) == (48, 0)
    calm = provider(mock_server)
    llm = asking(calm)
    other = recipe_in(small_taxonomy, tmp_path / "calm", calm, families="[steps]", llm=llm)
    assert trine("run", "-c", other, "-q").code == 0
    assert whole(tmp_path) == whole(tmp_path / "calm")


def test_a_batch_that_the_provider_has_no_more_is_told(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """Deleted, or another account's: exit 2 with how to go on without it, and that works."""
    held = provider(mock_server, "--hold")
    path = recipe_in(small_taxonomy, tmp_path, held, families="[steps]", count=6)
    run = start("run", "-c", path, "-q")
    while not any('"batch": "' in p.read_text() for p in tmp_path.glob("run/batches/*/*.json")):
        time.sleep(0.01)
    run.kill()
    run.communicate()
    other = provider(mock_server)
    path = recipe_in(
        small_taxonomy, tmp_path, other, families="[steps]", count=6, llm=asking(other)
    )
    ended = trine("run", "-c", path, "-q")
    assert ended.code == 2
    assert "no such batch" in ended.err
    assert "of the account that sent it" in ended.err
    subprocess.run(ended.err.partition("or give it up: ")[2].strip(), shell=True, check=True)
    assert trine("run", "-c", path, "-q").code == 0
    assert other.stats()["answered"] == 12


@pytest.mark.parametrize("point", ["created", "content"])
def test_a_run_killed_while_the_provider_answers_repeats_nothing(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine, point: str
) -> None:
    """`created`: the batch is there, and its id has never come back."""
    server = provider(mock_server, "--stall", point)
    path = recipe_in(small_taxonomy, tmp_path, server)
    run = start("run", "-c", path, "-q")
    while not server.stats()["stalled"]:
        time.sleep(0.01)
    run.kill()
    run.communicate()
    tell(server, "stall")
    assert trine("run", "-c", path, "-q").code == 0
    stats = server.stats()
    assert stats["repeated"] == 0
    assert stats["answered"] == len(rows(tmp_path, "SELECT key FROM answers"))
    assert not (tmp_path / "run" / "batches").exists()


KILLED = """
import os, signal, sys
from generator.cli import main
from generator.llm import batch, parcels, provider

def killing(owner, name, when, number):
    method, calls = getattr(owner, name), [0]
    def stop():
        calls[0] += 1
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
    if name in ("fetch", "submit", "_give_out"):
        async def wrapped(*args):
            when == "before" and stop()
            await method(*args)
            when == "after" and stop()
    else:
        def wrapped(*args):
            when == "before" and stop()
            found = method(*args)
            when == "after" and stop()
            return found
    setattr(owner, name, wrapped)

owners = {"Parcel": parcels.Parcel, "Provider": provider.Provider, "BatchLLM": batch.BatchLLM}
owner, name, when, number = sys.argv[1:5]
killing(owners[owner], name, when, int(number))
main(sys.argv[5:])
"""


@pytest.mark.parametrize(
    "point",
    [
        "Parcel add after 5", "Parcel seal after 1", "Parcel note before 1",
        "Parcel note before 2", "Parcel note after 2", "Provider fetch after 1",
        "BatchLLM _give_out after 1", "Parcel remove before 1", "Parcel remove after 1",
    ],
)  # fmt: skip
def test_a_run_killed_between_two_steps_repeats_nothing(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine, point: str
) -> None:
    """Between what the provider knows and what the folder knows, at every step of a batch."""
    server = provider(mock_server)
    path = recipe_in(small_taxonomy, tmp_path, server)
    command = [sys.executable, "-c", KILLED, *point.split(), "run", "-c", str(path), "-q"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert trine("run", "-c", path, "-q").code == 0
    stats = server.stats()
    assert stats["repeated"] == 0
    assert stats["answered"] == len(rows(tmp_path, "SELECT key FROM answers"))
    assert not (tmp_path / "run" / "batches").exists()
