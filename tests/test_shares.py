"""Caps and shares of what is kept: exact, repeatable, and no draw changed."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator import pipeline, sampling
from generator.config import RunConfig
from generator.drawn import DrawnValues
from generator.errors import ConfigError
from generator.llm.scripted import ScriptedLLM, plausible
from generator.plan import make_plan
from generator.recordfile import read_lines
from generator.records import Prompt, Record, Rejected
from generator.shares import targets
from tests.test_pipeline import config, contents, start

__all__ = ["config"]  # the fixture


def lossy(prompt: Prompt) -> str:
    """A plausible reply; of the family `steps` two questions in three are too short to be kept."""
    reply = json.loads(plausible(prompt))
    index = int(prompt.draw.split("#")[1].lstrip("b"))
    if "question" in reply and prompt.draw.startswith("steps") and index % 3:
        reply["question"] = "why"
    return json.dumps(reply)


FILTER = {"filters.length": {"query": {"min_words": 3}}, "dedupe.near_threshold": None}


def shares(config: Callable[..., RunConfig], **keys: Any) -> RunConfig:
    return config(**{"count": 1000, "keep": 40, "keep_shares": "family", **FILTER, **keys})


def kept(folder: Path) -> list[Record]:
    return list(read_lines(Record, folder / "records.jsonl"))


@pytest.mark.parametrize("by", ["family", "language", "family_language"])
def test_shares_of_what_is_kept_are_those_asked_for(
    config: Callable[..., RunConfig], by: sampling.ShareBy
) -> None:
    """Each has its part of the first `keep` places, though one loses two thirds."""
    made = shares(config, keep_shares=by)
    summary, _ = start(made, ScriptedLLM(lossy))
    found = Counter(sampling.share_of(by, r.family, r.language) for r in kept(summary.folder))
    assert found == targets(make_plan(made))
    assert (summary.kept, summary.short) == (40, False)
    rejected = list(read_lines(Rejected, summary.folder / "rejected.jsonl"))
    assert summary.drawn == 40 + len(rejected)
    assert {r.stage for r in rejected} <= {"filter", "dedupe", "quota"}


def test_a_family_that_loses_nothing_is_not_drawn_on(config: Callable[..., RunConfig]) -> None:
    """Only the one that is short gets more draws: the other has its first round."""
    summary, _ = start(shares(config), ScriptedLLM(lossy))
    assert summary.generated.seen["pairs"] == 26  # 20 and a third more
    assert summary.generated.seen["steps"] > 50


def test_it_goes_on_where_it_was_and_asks_nothing_twice(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """The same command again asks nothing; without the stages' files all comes from the journal."""
    made = shares(config)
    first, _ = start(made, ScriptedLLM(lossy))
    before = contents(first.folder)
    again, asked = start(made, ScriptedLLM(lossy))
    assert (again, asked) == (first, [])
    for path in (first.folder / "stages").iterdir():
        path.unlink()
    again, asked = start(made, ScriptedLLM(lossy))
    assert (again, asked, contents(first.folder)) == (first, [], before)
    elsewhere = shares(config, output=tmp_path / "elsewhere" / "run")
    start(elsewhere, ScriptedLLM(lossy, concurrency=50, jitter=40))
    assert contents(elsewhere.output) == before


def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """A budget stops it in the middle of a round; with more it comes to the same files."""
    whole, _ = start(shares(config), ScriptedLLM(lossy))
    other = tmp_path / "other" / "run"
    for tokens in (200, 900, 2000):
        made = shares(config, output=other, **{"budget.max_tokens": tokens})
        stopped, _ = start(made, ScriptedLLM(lossy))
        assert stopped.stopped
    start(shares(config, output=other), ScriptedLLM(lossy))
    assert (other / "records.jsonl").read_bytes() == (whole.folder / "records.jsonl").read_bytes()


def test_more_to_keep_asks_only_for_what_is_new(config: Callable[..., RunConfig]) -> None:
    """Draws are those of any run of the seed: what has been answered is used again."""
    _, asked = start(shares(config), ScriptedLLM(lossy))
    summary, more = start(shares(config, keep=60), ScriptedLLM(lossy))
    assert summary.kept == 60
    assert not {prompt.key for prompt in asked} & {prompt.key for prompt in more}
    summary, more = start(shares(config), ScriptedLLM(lossy))
    assert (summary.kept, more) == (40, [])
    plain, more = start(config(count=40, **FILTER), ScriptedLLM(lossy))
    assert (plain.drawn, more) == (40, [])


def test_count_bounds_the_draws(config: Callable[..., RunConfig]) -> None:
    """A share that cannot be filled ends the run at `count`, short."""
    summary, _ = start(shares(config, count=60), ScriptedLLM(lossy))
    assert (summary.drawn, summary.short) == (60, True)


def test_a_round_more_changes_nothing_before_it(config: Callable[..., RunConfig]) -> None:
    """The order with one more round begins with the order without."""
    plan = make_plan(config())
    rounds = [{"pairs": 7, "steps": 5}, {"steps": 30}, {"pairs": 3, "steps": 2}]
    orders = [
        [(*slot[1:3], slot.quota.name) for slot in
         sampling.slots(plan.quotas, plan.languages, rounds[:number], "family")]
        for number in range(4)
    ]  # fmt: skip
    assert [len(order) for order in orders] == [0, 12, 42, 47]
    for shorter, longer in itertools.pairwise(orders):
        assert longer[: len(shorter)] == shorter
    places = [item for item in orders[3] if item[2] == "steps" and item[0] == "en"]
    assert [number for _, number, _ in places] == list(range(len(places)))


def test_shares_need_a_number_to_keep(config: Callable[..., RunConfig]) -> None:
    """`keep_shares` alone is refused, with the reason."""
    with pytest.raises(ConfigError, match="keep_shares needs keep"):
        config(keep_shares="family")
    with pytest.raises(ConfigError, match="caps > topic: Input should be greater than 0"):
        config(caps={"topic": 0})


def test_a_cap_keeps_the_first_of_each_value(config: Callable[..., RunConfig]) -> None:
    """Of one topic no more than the cap; the rest is rejected with the value; the order stays."""
    made = config(caps={"topic": 4}, **FILTER)
    summary, _ = start(made)
    drawn = DrawnValues(make_plan(made))
    topics = Counter(drawn.of(record)["topic"] for record in kept(summary.folder))
    assert set(topics) == {"rivers", "bread", "chess"}
    assert max(topics.values()) == 4
    over = [
        r for r in read_lines(Rejected, summary.folder / "rejected.jsonl") if r.stage == "quota"
    ]
    assert {r.reason for r in over} == {"over_cap"}
    assert over[0].detail.startswith("topic: ")
    assert summary.later["quota"].rejected.total() == len(over)
    records = kept(summary.folder)
    start(config(count=20, caps={"topic": 4}, **FILTER))
    shorter = kept(summary.folder)
    assert records[: len(shorter)] == shorter
    start(made)
    assert kept(summary.folder) == records


def test_keep_reaches_its_number_under_caps(config: Callable[..., RunConfig]) -> None:
    """`keep` counts what the caps leave; what they make impossible is short."""
    summary, _ = start(config(keep=11, count=400, caps={"topic": 4}, **FILTER))
    assert (summary.kept, summary.short) == (11, False)
    summary, _ = start(config(keep=13, count=400, caps={"topic": 4}, **FILTER))
    assert (summary.kept, summary.short) == (12, True)


@pytest.mark.parametrize("name", ["task", "family", "language", "tone"])
def test_what_can_be_capped(config: Callable[..., RunConfig], name: str) -> None:
    """An instruction, a family, a language, an axis that only some families have."""
    summary, _ = start(config(caps={name: 3}, **FILTER))
    drawn = DrawnValues(make_plan(config()))
    values = Counter(
        drawn.of(record).get(name) or getattr(record, name, None) for record in kept(summary.folder)
    )
    values.pop(None, None)  # a family without that axis is under no cap
    assert max(values.values()) == 3


def test_a_cap_on_nothing_is_refused(config: Callable[..., RunConfig]) -> None:
    """With the axes that there are."""
    with pytest.raises(ConfigError, match="no axis of this run is called topics") as caught:
        start(config(caps={"topics": 3}))
    assert "topic" in caught.value.hint


def test_values_of_the_brainstorming_call_are_found_again(config: Callable[..., RunConfig]) -> None:
    """A record holds its own axes; topic and persona of its call follow from the draw."""
    plan = make_plan(config())
    drawn = DrawnValues(plan)
    for draw in plan.draws(20):
        values = drawn.of_draw(draw)
        assert values["topic"] in {"rivers", "bread", "chess"}
        assert set(draw.values) <= set(values)
    assert drawn.axes["topic"].keys() == {"pairs", "steps"}
    made = config()
    summary = pipeline.run(made, open_model=ScriptedLLM)
    assert all(drawn.of(record)["topic"] for record in kept(summary.folder))
