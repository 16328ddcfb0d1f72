"""A whole run with the scripted model: what it writes, and what a second one does not do again."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from generator import pipeline
from generator.config import RunConfig, load_config
from generator.errors import ConfigError, RequestFailed, RunError
from generator.llm.scripted import ScriptedLLM, plausible
from generator.recordfile import read_lines
from generator.records import Completion, Prompt, Record, Rejected, to_json
from generator.summary import Summary

FEW_WORDS = {"filters.length": {"query": {"min_words": 3}}}


@pytest.fixture
def config(small_taxonomy: tuple[Path, Path], tmp_path: Path) -> Callable[..., RunConfig]:
    """The configuration of a run over the small taxonomy, with keys changed."""

    def make(**keys: Any) -> RunConfig:
        tasks, prompts = small_taxonomy
        base = {"count": 40, "output": tmp_path / "run", "llm.backend": "scripted"}
        return load_config(environ={}, **{"tasks": tasks, "prompts": prompts, **base, **keys})

    return make


def start(config: RunConfig, llm: ScriptedLLM | None = None) -> tuple[Summary, list[Prompt]]:
    """A run with a scripted model, and what it was asked."""
    llm = llm or ScriptedLLM(short_now_and_then)
    return pipeline.run(config, open_model=lambda: llm), llm.asked


def short_now_and_then(prompt: Prompt) -> str:
    """A plausible reply; every fifth has a query of one word, every third another's."""
    reply = json.loads(plausible(prompt))
    index = int(prompt.draw.split("#")[1].lstrip("b"))
    if "question" in reply and index % 5 == 4:
        reply["question"] = "why"
    elif "question" in reply and index % 3 == 2:
        reply["question"] = "which river runs through the old market today"
    return json.dumps(reply)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that a run's answers decide, with its bytes."""
    names = ("records.jsonl", "rejected.jsonl", "tasks.jsonl", "stats.json")
    data = [path for path in (folder / "dataset").rglob("*") if path.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in [folder / n for n in names] + data}


def test_a_run_accounts_for_every_draw(config: Callable[..., RunConfig]) -> None:
    """Records and rejections are the draws, each once; counts, files and statistics agree."""
    made = config(**FEW_WORDS)
    summary, _ = start(made)
    folder = made.output
    records = list(read_lines(Record, folder / "records.jsonl"))
    rejected = list(read_lines(Rejected, folder / "rejected.jsonl"))
    assert len(records) == summary.kept
    assert len(records) + len(rejected) == summary.drawn == 40
    assert {(r.stage, r.reason) for r in rejected} == {
        ("filter", "query_too_short"), ("dedupe", "query_duplicate")
    }  # fmt: skip
    assert summary.rejected.total() == len(rejected)
    assert not summary.short
    stats = json.loads((folder / "stats.json").read_text())
    assert stats["records"] == len(records)
    assert stats["usage"]["requests"] > 40
    lines = [
        line
        for side in ("train", "test")
        for line in (folder / "dataset" / f"{side}.jsonl").read_text().splitlines()
    ]
    assert sorted(lines) == sorted(to_json(record) for record in records)


def test_a_second_run_asks_and_writes_nothing(config: Callable[..., RunConfig]) -> None:
    """The same command again: no request, the same summary, and no stage writes its files."""
    first, _ = start(config())
    before = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.*")}
    second, asked = start(config())
    after = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.*")}
    assert asked == []
    assert second == first
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed == {"run.yaml", "records.jsonl", "rejected.jsonl"}  # copied from the stages


def test_two_runs_of_one_configuration_are_bit_equal(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """Concurrency and order of arrival leave no trace in any file, whatever the folder's name."""
    start(config(), ScriptedLLM(short_now_and_then, concurrency=1))
    other = config(output=tmp_path / "elsewhere" / "run")
    start(other, ScriptedLLM(short_now_and_then, concurrency=50, jitter=40))
    assert contents(config().output) == contents(other.output)


def test_one_more_asks_for_one_draw(config: Callable[..., RunConfig]) -> None:
    """`count` + 1 sends the requests of one draw; the longer run begins with the shorter one."""
    start(config(count=40))
    before = (config().output / "stages" / "generate.jsonl").read_bytes()
    summary, asked = start(config(count=41))
    assert summary.drawn == 41
    assert 1 <= len(asked) <= 2
    assert (config().output / "stages" / "generate.jsonl").read_bytes().startswith(before)
    _, asked = start(config(count=40))
    assert asked == []
    assert (config().output / "stages" / "generate.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        FEW_WORDS,
        {"filters.empty": False},
        {"dedupe.near_threshold": None},
        {"dataset.test_fraction": 0.5},
        {"llm.base_url": "http://elsewhere/v1"},
        {"llm.max_retries": 1},
    ],
)
def test_a_change_after_the_answers_asks_nothing(
    config: Callable[..., RunConfig], change: dict[str, Any]
) -> None:
    """Filters, dedupe, the split and the transport are no part of a request."""
    start(config())
    _, asked = start(config(**change))
    assert asked == []


def test_a_changed_filter_is_applied_and_can_be_taken_back(
    config: Callable[..., RunConfig],
) -> None:
    """A stricter filter keeps less; without it the first run's files come back, byte by byte."""
    first, _ = start(config())
    before = contents(first.folder)
    stricter, _ = start(config(**FEW_WORDS))
    assert stricter.kept < first.kept
    assert stricter.generated == first.generated
    start(config())
    assert contents(first.folder) == before


@pytest.mark.parametrize("change", [{"seed": 43}, {"llm.model": "b"}, {"llm.temperature": 0.5}])
def test_a_change_of_the_requests_asks_again(
    config: Callable[..., RunConfig], change: dict[str, Any]
) -> None:
    """Seed, model and parameters are part of every request; the old answers stay in the journal."""
    _, first = start(config())
    _, second = start(config(**change))
    assert len(second) >= 40
    assert not {p.key for p in first} & {p.key for p in second}
    _, third = start(config())
    assert third == []


def test_a_new_language_and_a_new_family_change_no_draw(config: Callable[..., RunConfig]) -> None:
    """What a run has asked for it never asks again when languages or families are added."""
    _, first = start(config(families=["steps"], languages=["en"]))
    _, second = start(config(families=["steps", "pairs"], languages=["en", "ja"], count=200))
    assert not {p.key for p in first} & {p.key for p in second}


@pytest.mark.parametrize("keep", [1, 17])
def test_keep_ends_with_the_shortest_prefix(config: Callable[..., RunConfig], keep: int) -> None:
    """Exactly `keep` records, from the fewest draws that give them, and no draw beyond `count`."""
    made = config(keep=keep, count=200, **FEW_WORDS)
    summary, _ = start(made)
    assert summary.kept == keep
    assert not summary.short
    whole, _ = start(config(count=200, **FEW_WORDS))
    records = list(read_lines(Record, whole.folder / "records.jsonl"))
    start(made)
    assert list(read_lines(Record, made.output / "records.jsonl")) == records[:keep]
    shorter, _ = start(config(count=summary.drawn - 1 or 1, **FEW_WORDS))
    assert shorter.kept < keep or summary.drawn == 1


def test_keep_draws_no_more_than_it_needs(config: Callable[..., RunConfig]) -> None:
    """With `count` far above, only about as many draws as needed are paid for; again: none."""
    made = config(keep=20, count=100_000, **FEW_WORDS)
    summary, asked = start(made)
    assert summary.kept == 20
    assert len(asked) < 100
    again, asked = start(made)
    assert asked == []
    assert again == summary


def test_fewer_than_asked_for_is_short(config: Callable[..., RunConfig]) -> None:
    """When `count` does not reach `keep`, all that there is is written and `short` says so."""
    summary, _ = start(config(keep=39, count=40, **FEW_WORDS))
    assert summary.short
    assert (summary.drawn, summary.kept) == (40, start(config(**FEW_WORDS))[0].kept)
    summary, _ = start(config(keep=39, count=400, **FEW_WORDS))
    assert (summary.short, summary.kept) == (False, 39)


def test_a_run_that_keeps_nothing_is_still_accounted_for(config: Callable[..., RunConfig]) -> None:
    """No record: no data set, statistics of noughts, every draw among the rejected."""
    summary, _ = start(config(count=10), ScriptedLLM(lambda _: "no"))
    assert summary.kept == 0
    assert len(list(read_lines(Rejected, summary.folder / "rejected.jsonl"))) == 10
    assert json.loads((summary.folder / "stats.json").read_text())["records"] == 0
    assert not (summary.folder / "dataset").exists()
    summary, _ = start(config(count=10, keep=3), ScriptedLLM(lambda _: "no"))
    assert summary.short


def test_failed_requests_are_asked_again_by_the_same_command(
    config: Callable[..., RunConfig],
) -> None:
    """The stage is not finished while one stands unanswered; then the rest is as ever."""

    class Flaky(ScriptedLLM):
        async def complete(self, prompt: Prompt) -> Completion:
            answer = await super().complete(prompt)
            if Random(prompt.key).random() < 0.3:
                raise RequestFailed("http_500", "the server had an error")
            return answer

    broken, _ = start(config(), Flaky(short_now_and_then))
    reasons = {name.split("|", 1)[1] for name in broken.generated.rejected}
    assert reasons == {"generate|http_500"}
    failed = broken.generated.rejected.total()
    healed, asked = start(config())
    assert len(asked) >= failed / 3
    assert healed.generated.passed.total() == 40
    again, asked = start(config())
    assert (again, asked) == (healed, [])


def test_stages_alone_end_where_a_run_ends(config: Callable[..., RunConfig]) -> None:
    """generate, filter, dedupe and export, one after the other, write what `run` writes."""
    made = config(**FEW_WORDS)
    llm = ScriptedLLM(short_now_and_then)
    pipeline.generate(made, open_model=lambda: llm)
    pipeline.filter_run(made)
    pipeline.dedupe_run(made)
    pipeline.describe_run(made)
    alone = contents(made.output)
    summary, asked = start(made)
    assert asked == []
    assert contents(summary.folder) == alone


@pytest.mark.parametrize(
    ("stage", "missing"),
    [("filter_run", "generate"), ("dedupe_run", "filter"), ("describe_run", "filter")],
)
def test_a_stage_says_which_one_comes_before_it(
    config: Callable[..., RunConfig], stage: str, missing: str
) -> None:
    """On an empty folder every stage but the first is refused, with the verb to type."""
    with pytest.raises(RunError, match=f"the stage {missing} has not run") as caught:
        getattr(pipeline, stage)(config())
    assert f"trine {missing}" in caught.value.hint


def test_a_folder_in_use_is_refused_and_left_alone(config: Callable[..., RunConfig]) -> None:
    """The second of two runs in one folder is told the first one's process, and asks nothing."""
    summary, _ = start(config())
    before = contents(summary.folder)
    with (summary.folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        llm = ScriptedLLM()
        with pytest.raises(RunError, match=r"in use by another run \(process \d+\)") as caught:
            start(config(count=50), llm)
    assert "-o" in caught.value.hint
    assert llm.asked == []
    assert contents(summary.folder) == before


def test_families_that_cannot_be_drawn_are_named(config: Callable[..., RunConfig]) -> None:
    """Unknown families and languages are refused before anything is written."""
    for key in ("families", "languages"):
        with pytest.raises(ConfigError, match=f"{key}: unknown xx") as caught:
            start(config(**{key: ["xx"]}))
        assert caught.value.hint.startswith("one of: ")
    assert not config().output.exists()


def test_the_watch_sees_every_draw(config: Callable[..., RunConfig]) -> None:
    """Each stage begins once, and each item advances it once."""
    seen: list[tuple[str, int]] = []

    class Counting:
        def begin(self, stage: str, total: int | None) -> None:  # noqa: ARG002
            seen.append((stage, 0))

        def advance(self, *, kept: bool) -> None:  # noqa: ARG002
            stage, number = seen[-1]
            seen[-1] = (stage, number + 1)

        def traffic(self, traffic: object) -> None: ...

        def note(self, message: str) -> None: ...

    llm = ScriptedLLM(short_now_and_then)
    pipeline.run(config(), watch=Counting(), open_model=lambda: llm)
    assert [name for name, _ in seen] == ["generate", "dedupe"]  # filtered on the way
    assert seen[0] == ("generate", 40)
