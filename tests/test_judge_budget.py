"""What judges cost: in statistics and card, under the run's cap, and guessed before."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from generator.config import RunConfig
from generator.errors import ConfigError
from generator.mineconfig import MineConfig
from generator.mining import mine_file
from generator.refining import refine_file
from tests.command import Trine, recipe
from tests.conftest import MockServer, StartServer
from tests.test_budget import PRICES, asking, command_of, prices_paid, trine
from tests.test_mining import keep_first, world

__all__ = ["trine", "world"]  # fixtures

TWICE = {"input_usd_per_million": 2000.0, "output_usd_per_million": 8000.0}
JUDGE = {"model": "grader", "on": "all", "again": 0, **TWICE}
Small = tuple[Path, Path]


def judged(server: MockServer, small: Small, folder: Path, **keys: object) -> Path:
    """The recipe of a run that has every text graded, at twice the price of writing."""
    folder.mkdir(parents=True, exist_ok=True)
    refine = json.dumps({"encoder": None, "judge": JUDGE})
    base = {"count": 40, "families": "[steps]", "llm": asking(server), "refine": refine}
    return recipe(small, folder, **{**base, **keys})


def spent_on_judges(folder: Path, name: str = "refine") -> list[float]:
    """The price of every grade of a run, in dollars."""
    if not (folder / name / "judge.sqlite").is_file():
        return []
    db = sqlite3.connect(folder / name / "judge.sqlite")
    rows = db.execute("SELECT prompt_tokens, completion_tokens FROM answers").fetchall()
    db.close()
    return [(asked * 2000 + written * 8000) / 1e6 for asked, written in rows]


def rejected(folder: Path) -> Counter[str]:
    """How many a reason has."""
    lines = (folder / "rejected.jsonl").read_text().splitlines()
    return Counter(json.loads(line)["reason"] for line in lines)


def test_statistics_and_card_tell_what_judges_cost(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """By model beside the writers', and in the cost of a record."""
    path = judged(mock_server("--latency", "0"), small_taxonomy, tmp_path)
    run = tmp_path / "run"
    assert trine("run", "-c", path, "-q").code == 0
    stats = json.loads((run / "stats.json").read_text())
    written, graded = prices_paid(run), spent_on_judges(run)
    row = stats["judges"]["grader"]
    assert row["requests"] == len(graded) > 0
    assert row["cost_usd"] == pytest.approx(sum(graded), abs=1e-5)
    assert row["prompt_tokens"] > 0 < row["completion_tokens"]
    usage, kept = stats["usage"], stats["records"]
    assert usage["requests"] == len(written) + len(graded)
    assert usage["cost_usd"] == pytest.approx(sum(written) + sum(graded), abs=1e-5)
    per_record = 1000 * (sum(written) + sum(graded)) / kept
    assert usage["cost_usd_per_1000_records"] == pytest.approx(per_record, rel=1e-4)
    assert list(stats["models"]) == ["mock"]
    assert stats["models"]["mock"]["requests"] == len(written)
    card = (run / "dataset" / "README.md").read_text()
    assert f"| `grader` | {len(graded)} |" in card
    shown = trine("stats", run).out
    line = next(line for line in shown.splitlines() if "grader" in line)
    assert str(len(graded)) in line.split()


def test_a_cap_stops_the_judge_and_a_higher_one_goes_on(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """As it stops the writer; what was not graded is not kept, and no grade is paid twice."""
    server = mock_server("--latency", "0.002")
    whole = judged(server, small_taxonomy, tmp_path / "whole")
    assert trine("run", "-c", whole, "-q").code == 0
    written, graded = (sum(f(tmp_path / "whole" / "run")) for f in (prices_paid, spent_on_judges))
    path, run = judged(server, small_taxonomy, tmp_path), tmp_path / "run"
    cap = round(written + graded / 2, 2)
    stopped = trine("run", "-c", path, "--max-cost", cap, "-q")
    assert stopped.code == 1
    paid = [*prices_paid(run), *spent_on_judges(run)]
    assert cap - 2 * max(paid) <= sum(paid) <= cap
    assert f"stopped: spent ${sum(paid):,.4f}" in stopped.err
    assert command_of(stopped) == ["run", "-c", str(path), "-q", "--max-cost", f"{2 * cost(cap):g}"]
    reasons = rejected(run)
    assert 0 < reasons["not_judged"] < 40
    stats = json.loads((run / "stats.json").read_text())
    assert (stats["unaccounted"], stats["usage"]["requests"]) == (0, len(paid))
    assert "a higher cap goes on" in trine("show", run, "--reason", "not_judged", "-n", "1").out
    server_asked = server.stats()["requests"]
    assert trine("run", "-c", path, "--max-cost", cap, "-q").code == 1
    assert server.stats()["requests"] - server_asked <= 1
    assert trine(*command_of(stopped)).code == 0
    for name in ("records.jsonl", "rejected.jsonl", "refined.jsonl", "stats.json"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / "run" / name).read_bytes()
    assert len(spent_on_judges(run)) == len(spent_on_judges(tmp_path / "whole" / "run"))


def cost(cap: float) -> float:
    """The cap as the command line reads it."""
    return float(str(cap))


def test_a_stage_alone_keeps_to_the_cap_too(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """`trine refine` of a run counts what writing has cost; of a file, what its own grades do."""
    server = mock_server("--latency", "0")
    path, run = judged(server, small_taxonomy, tmp_path, refine="null"), tmp_path / "run"
    assert trine("run", "-c", path, "-q").code == 0
    written = sum(prices_paid(run))
    keys = [f"--set=refine.judge.{key}={value}" for key, value in JUDGE.items() if key != "model"]
    refine = ("--judge", "grader", *keys, "--set=refine.encoder=null", "-q")
    nothing = trine("refine", run, *refine, "--max-cost", f"{written / 2:.2f}")
    assert (nothing.code, rejected(run)["not_judged"] > 0) == (1, True)
    assert spent_on_judges(run) == []
    stopped = trine("refine", run, *refine, "--max-cost", f"{written + 5:.2f}")
    assert (stopped.code, "stopped: spent $" in stopped.err) == (1, True)
    assert 2 < sum(spent_on_judges(run)) <= 5
    assert trine("refine", run, *refine, "--max-cost", "100000").code == 0
    assert not rejected(run)["not_judged"]
    given = f"--set=llm={asking(server)}"
    alone = trine("refine", run, "-o", tmp_path / "out", given, *refine, "--max-cost", "5")
    assert (alone.code, "--max-cost 10" in alone.err) == (1, True)
    assert shlex.join(command_of(alone)).startswith(f"refine {run}")
    assert rejected(tmp_path / "out")["not_judged"] > 0


def test_a_cap_in_the_middle_of_rounds_changes_nothing_in_the_end(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """`keep` is reached in rounds of writing and judging, under one cap after the other."""
    server, keys = mock_server("--latency", "0"), {"keep": 12, "count": 200}
    whole = judged(server, small_taxonomy, tmp_path / "whole", **keys)
    ended = tmp_path / "whole" / "run"
    assert trine("run", "-c", whole, "-q").code == 0
    assert len(json.loads((ended / "stages" / "rounds.json").read_text())["rounds"]) > 1
    path, run = judged(server, small_taxonomy, tmp_path, **keys), tmp_path / "run"
    total = sum(prices_paid(ended)) + sum(spent_on_judges(ended))
    for share in (0.2, 0.5, 0.8):
        stopped = trine("run", "-c", path, "--max-cost", f"{share * total:.2f}", "-q")
        assert (stopped.code, "stopped: spent $" in stopped.err) == (1, True)
        assert json.loads((run / "stats.json").read_text())["unaccounted"] == 0
        assert sum(prices_paid(run)) + sum(spent_on_judges(run)) <= share * total
    assert trine("run", "-c", path, "-q").code == 0
    for name in ("records.jsonl", "rejected.jsonl", "stats.json"):
        assert (run / name).read_bytes() == (ended / name).read_bytes()


def test_a_teacher_that_is_a_model_is_under_the_cap(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer, trine: Trine
) -> None:
    """Mining ends with what was graded, the other records stay as they were; then it goes on."""
    server = mock_server("--latency", "0")
    mine = json.dumps({"teacher": "llm", "rank_max": 3, "negatives": 1})
    whole, path = (
        judged(server, small_taxonomy, tmp_path / name, refine="null", mine=mine)
        for name in ("whole", "capped")
    )
    assert trine("run", "-c", whole, "-q").code == 0
    ended, run = tmp_path / "whole" / "run", tmp_path / "capped" / "run"
    written = sum(prices_paid(ended))
    graded = sum(spent_on_judges(ended, "mine")) / 2  # at the writer's price
    stats = json.loads((ended / "stats.json").read_text())
    assert stats["usage"]["cost_usd"] == pytest.approx(written + graded, abs=1e-4)
    assert stats["judges"]["mock"]["cost_usd"] == pytest.approx(graded, abs=1e-4)
    stopped = trine("run", "-c", path, "--max-cost", f"{written + graded / 2:.2f}", "-q")
    assert (stopped.code, "stopped: spent $" in stopped.err) == (1, True), stopped.err
    assert 0 < sum(spent_on_judges(run, "mine")) / 2 <= graded / 2
    assert len((run / "records.jsonl").read_text().splitlines()) == stats["records"]
    assert trine(*command_of(stopped)).code == 0
    for name in ("records.jsonl", "negatives.jsonl", "stats.json"):
        assert (run / name).read_bytes() == (ended / name).read_bytes()


def test_a_cap_on_cost_needs_the_judges_price(world: Path) -> None:
    """The writer's is not enough; where only the judge is asked, only its price is needed."""
    keep_first(world, 3)
    judge: dict[str, Any] = {"backend": "openai", "model": "grader", "on": "all"}
    base: dict[str, Any] = {"llm": {"backend": "openai", "model": "w", **PRICES}}
    base |= {"budget": {"max_cost_usd": 1.0}, "refine": {"encoder": None, "judge": judge}}
    with pytest.raises(ConfigError, match="grader has none"):
        refine_file(world / "records.jsonl", world / "out", RunConfig.model_validate(base))


def test_mining_without_a_judge_needs_no_price(world: Path) -> None:
    """Nothing is asked, so nothing can be over a cap."""
    assert not mine_file(world / "records.jsonl", world / "out", MineConfig()).stopped
