"""A cap on cost or tokens: never passed, nearly reached, and the run goes on when it is raised."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sqlite3
from pathlib import Path
from random import Random

import pytest

from generator.errors import BudgetReached, RequestFailed
from generator.llm.budget import Budget, Metered
from generator.llm.prospects import Amount
from generator.records import Completion, Message, Params, Prompt
from tests.command import Ended, Trine, recipe
from tests.conftest import MockServer, StartServer

PRICES = {"input_usd_per_million": 1000.0, "output_usd_per_million": 4000.0}


@pytest.fixture
def trine(capsys: pytest.CaptureFixture[str]) -> Trine:
    """The command, in this process."""
    return Trine(capsys)


def prompt(number: int, *, max_tokens: int = 500) -> Prompt:
    """A request of 100 bytes and up to so many tokens."""
    messages = (Message("user", "x" * 100),)
    return Prompt(
        "m", f"f@1/single/en#{number}", "w", 0, messages, Params(max_tokens=max_tokens), ""
    )


class Uneven:
    """Answers of 10 to 300 tokens, in an order of its own; counts what is in flight."""

    concurrency = 64

    def __init__(self, *, fails: float = 0.0) -> None:
        self.random, self.fails = Random(3), fails
        self.in_flight = self.peak = 0
        self.costs: list[int] = []

    async def complete(self, _: Prompt) -> Completion:
        """An answer, or a failure."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            for _ in range(self.random.randrange(6)):
                await asyncio.sleep(0)
            if self.random.random() < self.fails:
                raise RequestFailed("http_500", "no")
            written = self.random.randrange(10, 300)
            self.costs.append(25 + written)
            return Completion("text", "stop", 25, written)
        finally:
            self.in_flight -= 1

    async def aclose(self) -> None:
        """Nothing to give back."""


def priced(_: str, asked: int, written: int, *__: object) -> float:
    """One dollar a token."""
    return float(asked + written)


async def spend(llm: Uneven, budget: Budget, requests: int) -> list[object]:
    """Ask for so many at once; what each ended with."""
    metered = Metered(llm, budget)
    asked = (metered.complete(prompt(n)) for n in range(requests))
    return await asyncio.gather(*asked, return_exceptions=True)


@pytest.mark.parametrize("cap", [700, 5_000, 20_001])
@pytest.mark.parametrize("fails", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["usd", "tokens"])
def test_a_cap_is_nearly_reached_and_not_passed(cap: int, fails: float, kind: str) -> None:
    """Within one request's price of it, with nothing in flight when it stops."""
    llm = Uneven(fails=fails)
    limit = {"max_cost_usd": float(cap)} if kind == "usd" else {"max_tokens": cap}
    budget = Budget(priced, **limit)  # type: ignore[arg-type]
    ended = asyncio.run(spend(llm, budget, 400))
    dearest = 25 + 300
    assert cap - dearest <= sum(llm.costs) <= cap + dearest
    assert budget.spent.tokens == sum(llm.costs) == budget.spent.usd
    assert llm.in_flight == 0
    assert sum(isinstance(end, Completion) for end in ended) == len(llm.costs)
    stopped = [end for end in ended if isinstance(end, BudgetReached)]
    assert len(stopped) + len(llm.costs) + sum(
        isinstance(end, RequestFailed) for end in ended
    ) == 400  # fmt: skip
    assert f"{budget.spent.tokens:,} tokens" in str(stopped[0])


class Uncounted:
    """Answers of a server that sends no usage."""

    concurrency = 8

    def __init__(self) -> None:
        self.asked = 0

    async def complete(self, _: Prompt) -> Completion:
        """300 characters."""
        self.asked += 1
        await asyncio.sleep(0)
        return Completion("word " * 60)

    async def aclose(self) -> None:
        """Nothing to give back."""


def test_a_cap_holds_where_no_tokens_are_told() -> None:
    """They are estimated, in what the journal gets too; without a cap they stay unknown."""

    async def run(llm: Uncounted, budget: Budget) -> list[object]:
        metered = Metered(llm, budget)
        asked = (metered.complete(prompt(n)) for n in range(400))
        return await asyncio.gather(*asked, return_exceptions=True)

    llm, budget = Uncounted(), Budget(priced, max_tokens=5_000)
    ended = asyncio.run(run(llm, budget))
    answers = [end for end in ended if isinstance(end, Completion)]
    assert 4_500 < budget.spent.tokens <= 5_000
    assert budget.spent.tokens == sum(a.prompt_tokens + a.completion_tokens for a in answers)
    assert llm.asked == len(answers) < 400
    free, budget = Uncounted(), Budget(priced)
    assert asyncio.run(run(free, budget)) == [Completion("word " * 60)] * 400


def test_a_first_request_that_may_cost_too_much_is_not_sent() -> None:
    """What it takes at its worst is more than the cap."""
    llm = Uneven()
    (ended,) = asyncio.run(spend(llm, Budget(priced, max_tokens=400), 1))
    assert isinstance(ended, BudgetReached)
    assert llm.costs == []


def test_what_was_spent_before_counts() -> None:
    """By earlier sessions of the run."""
    llm = Uneven()
    budget = Budget(priced, spent=Amount(4_000.0, 4_000), max_tokens=10_000)
    asyncio.run(spend(llm, budget, 200))
    assert 10_000 - 325 <= 4_000 + sum(llm.costs) <= 10_325


def test_a_cap_leaves_a_run_below_it_alone() -> None:
    """All are sent at once where all have room; without a cap nothing waits."""
    for budget in (Budget(priced, max_tokens=10**6), Budget(priced)):
        llm = Uneven()
        ended = asyncio.run(spend(llm, budget, 64))
        assert all(isinstance(end, Completion) for end in ended)
        assert llm.peak > 50
        assert budget.spent.tokens == sum(llm.costs)


def test_a_request_that_is_given_up_gives_its_room_back() -> None:
    """Cancelled while it waits or while it is in flight."""

    async def run() -> int:
        llm, budget = Uneven(), Budget(priced, max_tokens=1_500)
        metered = Metered(llm, budget)
        tasks = [asyncio.create_task(metered.complete(prompt(n))) for n in range(10)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await metered.complete(prompt(99))
        return budget.spent.tokens

    assert 35 <= asyncio.run(run()) <= 325


# A real run


def asking(server: MockServer, **more: object) -> str:
    """The part of a recipe that asks a mock server, at a price."""
    keys = {"backend": "openai", "model": "mock", "base_url": server.base_url, "concurrency": 32}
    return json.dumps({**keys, **PRICES, **more})


def prices_paid(folder: Path) -> list[float]:
    """The price of every answer of a run, in dollars."""
    db = sqlite3.connect(folder / "journal.sqlite")
    rows = db.execute("SELECT prompt_tokens, completion_tokens FROM answers").fetchall()
    db.close()
    return [(asked * 1000 + written * 4000) / 1e6 for asked, written in rows]


def command_of(ended: Ended) -> list[str]:
    """The command that a stopped run prints, without its first word."""
    line = re.search(r"To go on:\n  (.*)\n", ended.err)
    assert line, ended.err
    return shlex.split(line[1])[1:]


def test_a_run_stops_at_its_cap_and_goes_on_when_it_is_raised(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """Exit 1 near the cap, with records; the printed command goes on; no answer is paid twice."""
    server = mock_server("--latency", "0.005", "--rate-garbage", "0.1")
    path = recipe(small_taxonomy, tmp_path, count=120, llm=asking(server))
    stopped = trine("run", "-c", path, "--max-cost", "30", "-q")
    assert stopped.code == 1
    assert "stopped: spent $" in stopped.err
    paid = prices_paid(tmp_path / "run")
    assert 30 - max(paid) <= sum(paid) <= 30 + max(paid)
    assert f"${sum(paid):,.4f}" in stopped.err
    assert (tmp_path / "run" / "dataset" / "README.md").is_file()
    asked = server.stats()["requests"]
    again = trine("run", "-c", path, "--max-cost", "30", "-q")
    assert again.code == 1
    assert server.stats()["requests"] - asked <= 1
    assert command_of(stopped) == ["run", "-c", str(path), "-q", "--max-cost", "60"]
    raised = trine(*command_of(stopped))
    assert raised.code == 1
    paid = prices_paid(tmp_path / "run")
    assert 60 - max(paid) <= sum(paid) <= 60 + max(paid)
    assert trine(*command_of(raised), "--max-cost", "100000").code == 0
    assert server.stats()["repeated"] == 0
    (tmp_path / "whole").mkdir()
    whole = recipe(small_taxonomy, tmp_path / "whole", count=120, llm=asking(server))
    assert trine("run", "-c", whole, "-q").code == 0
    for name in ("records.jsonl", "rejected.jsonl"):
        ours, theirs = (tmp_path / part / "run" / name for part in ("", "whole"))
        assert ours.read_bytes() == theirs.read_bytes()


def test_a_stopped_run_keeps_all_that_was_answered(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """Also where an early draw is not answered: a later cap hides no record that there was."""
    server = mock_server("--latency", "0.002")
    path = recipe(small_taxonomy, tmp_path, count=60, families="[steps]", llm=asking(server))
    assert trine("run", "-c", path, "--max-tokens", "6000", "-q").code == 1
    before = (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    assert len(before) > 10
    db = sqlite3.connect(tmp_path / "run" / "journal.sqlite")
    with db:
        db.execute("DELETE FROM answers WHERE draw LIKE '%#1'")
    db.close()
    assert trine("run", "-c", path, "--max-tokens", "5000", "-q").code == 1
    after = (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    assert set(after) < set(before)
    assert len(after) >= len(before) - 3
    rejected = (tmp_path / "run" / "rejected.jsonl").read_text()
    assert "unanswered" in rejected
    generated = trine("generate", "-c", path, "--max-tokens", "5000", "-q")
    assert (generated.code, "--max-tokens 10000" in generated.err) == (1, True)


def test_a_cap_by_set_is_raised_by_set(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """The printed command has the effect that it promises."""
    server = mock_server("--latency", "0")
    path = recipe(small_taxonomy, tmp_path, count=30, llm=asking(server))
    stopped = trine("run", "-c", path, "--set", "budget.max_cost_usd=10", "-q")
    assert command_of(stopped)[-2:] == ["--set", "budget.max_cost_usd=20"]
    assert trine(*command_of(stopped)).code == 1
    assert sum(prices_paid(tmp_path / "run")) > 10


@pytest.mark.parametrize("cap", [("--max-tokens", "500"), ("--set", "budget.max_tokens=500")])
def test_a_cap_below_what_is_spent_is_raised_above_it(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, mock_server: StartServer, trine: Trine,
    cap: tuple[str, str],
) -> None:  # fmt: skip
    """Twice a cap that an earlier session has long gone over would stop the run at once again."""
    server = mock_server("--latency", "0")
    path = recipe(small_taxonomy, tmp_path, count=20, llm=asking(server))
    assert trine("run", "-c", path, "-q").code == 0
    asked = server.stats()["requests"]
    stopped = trine("run", "-c", path, "-n", "22", *cap, "-q")
    assert (stopped.code, server.stats()["requests"]) == (1, asked)
    assert trine(*command_of(stopped)).code == 0
    assert server.stats()["requests"] > asked


def test_statistics_tell_the_cost_of_a_record(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """Tokens and cost for every record kept, in stats.json, in the card and on the screen."""
    server = mock_server("--latency", "0")
    path = recipe(small_taxonomy, tmp_path, count=20, llm=asking(server))
    assert trine("run", "-c", path, "-q").code == 0
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    cost = sum(prices_paid(tmp_path / "run"))
    usage = stats["usage"]
    assert usage["cost_usd"] == pytest.approx(cost, abs=1e-5)
    assert usage["cost_usd_per_1000_records"] == pytest.approx(
        1000 * cost / stats["records"], rel=1e-4
    )
    tokens = usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["tokens_per_record"] == round(tokens / stats["records"], 1)
    assert stats["models"]["mock"]["kept"] == stats["records"]
    assert "cost (USD)" in (tmp_path / "run" / "dataset" / "README.md").read_text()
    assert "USD/1,000 records" in trine("stats", tmp_path / "run").out
