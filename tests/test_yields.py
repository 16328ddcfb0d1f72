"""Yield accounting: every draw of a run with every stage is somewhere, in every breakdown."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from generator.config import RunConfig
from generator.errors import RequestFailed
from generator.llm.scripted import ScriptedLLM, plausible
from generator.records import Completion, Prompt
from tests.test_pipeline import config, start

__all__ = ["config"]  # the fixture

STEPS = ["drawn", "answered", "parsed", "valid", "unique", "clean", "within quota", "kept"]


def faulty(prompt: Prompt) -> str:
    """A reply that one of the stages will not like, now and then."""
    reply = json.loads(plausible(prompt))
    index = int(prompt.draw.split("#")[1].lstrip("b"))
    if index % 13 == 12 or (index % 17 == 3 and prompt.attempt == 0):
        return "Sorry."
    if "question" in reply:
        if index % 5 == 4:
            reply["question"] = "why"
        elif index % 7 == 3:
            reply["question"] = "which river runs through the old market today"
        elif index % 11 == 5:
            reply["question"] = f"How do bees find the hive after rain? {prompt.draw}"
    return json.dumps(reply)


class Flaky(ScriptedLLM):
    """Fails for good at one request in twenty."""

    async def complete(self, prompt: Prompt) -> Completion:
        answer = await super().complete(prompt)
        if prompt.step != "brainstorm" and Random(prompt.draw).random() < 0.05:
            raise RequestFailed("http_500", "the server had an error")
        return answer


@pytest.fixture
def stats(config: Callable[..., RunConfig], tmp_path: Path) -> dict[str, Any]:
    """The statistics of a run in which every stage drops something."""
    (tmp_path / "bees.txt").write_text("How do bees find the hive after rain?\n")
    keys: dict[str, Any] = {
        "filters.length": {"query": {"min_words": 3}},
        "contamination.sets": [str(tmp_path / "bees.txt")],
        "contamination.remove": True,
        "caps": {"topic": 15},
        "mine": {"negatives": 2, "source": "random"},
        "llm.input_usd_per_million": 1.0,
        "llm.output_usd_per_million": 2.0,
    }
    summary, _ = start(config(count=120, **keys), Flaky(faulty))
    found: dict[str, Any] = json.loads((summary.folder / "stats.json").read_text())
    found["folder"] = summary.folder
    assert summary.drawn == 120
    return found


def test_kept_and_dropped_are_the_draws(stats: dict[str, Any]) -> None:
    """Each stage lost something, and nothing else is missing."""
    assert [row["step"] for row in stats["yield"]] == STEPS
    counts = [row["count"] for row in stats["yield"]]
    assert counts[0] == 120 == stats["records"] + stats["rejected"]
    assert counts[-1] == stats["records"]
    assert all(after < before for before, after in pairwise(counts[:-1]))
    assert stats["unaccounted"] == 0
    lines = (stats["folder"] / "rejected.jsonl").read_text().splitlines()
    assert len(lines) == stats["rejected"] == sum(row["count"] for row in stats["reasons"])


@pytest.mark.parametrize("dimension", ["families", "languages", "models"])
def test_every_breakdown_adds_up(stats: dict[str, Any], dimension: str) -> None:
    """Of each step, of attempts, tokens and cost; and of every reason."""
    rows = list(stats["by"][dimension].values())
    for step in stats["yield"]:
        assert sum(row[step["step"]] for row in rows) == step["count"]
    usage = stats["usage"]
    assert sum(row["answers"] for row in rows) == usage["requests"]
    for name in ("prompt_tokens", "completion_tokens"):
        assert sum(row[name] for row in rows) == usage[name]
    assert sum(row["cost_usd"] for row in rows) == pytest.approx(usage["cost_usd"], abs=1e-5)
    for row in rows:
        assert row["attempts"] == row["answers"] + row.get("failed", 0)
        tokens = row["prompt_tokens"] + row["completion_tokens"]
        assert row["tokens_per_record"] == round(tokens / row["kept"], 1)
    for reason in stats["reasons"]:
        assert sum(reason[dimension].values()) == reason["count"]


def test_attempts_are_those_of_the_journal(stats: dict[str, Any]) -> None:
    """Answers, those asked again, and failures, by family as the draws' ids have it."""
    db = sqlite3.connect(stats["folder"] / "journal.sqlite")
    answers = Counter(row[0].split("@")[0] for row in db.execute("SELECT draw FROM answers"))
    again = Counter(
        row[0].split("@")[0] for row in db.execute("SELECT draw FROM answers WHERE attempt > 0")
    )
    failed = Counter(row[0].split("@")[0] for row in db.execute("SELECT draw FROM errors"))
    db.close()
    assert again.total() > 0
    assert failed.total() > 0
    for family, row in stats["by"]["families"].items():
        found = (row["answers"], row.get("again", 0), row.get("failed", 0))
        assert found == (answers[family], again[family], failed[family])


def test_a_loss_that_no_file_holds_is_told(stats: dict[str, Any]) -> None:
    """`unaccounted` is the difference to the draws that were made."""
    from generator.statistics import statistics  # noqa: PLC0415

    assert statistics([], [], drawn=3)["unaccounted"] == 3
    assert statistics([], [])["unaccounted"] == 0
    assert stats["reasons"][0]["meaning"].endswith(".")
