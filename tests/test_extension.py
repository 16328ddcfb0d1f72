"""Longer and shorter runs in one folder: each has the files of a run made at once, for less."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from generator import generation, pipeline, written
from generator.config import RunConfig, load_config
from generator.errors import LLMError, RequestFailed
from generator.filters import apply
from generator.llm.scripted import ScriptedLLM, plausible
from generator.records import Completion, Prompt
from generator.writing import example_steps

FEW_WORDS = {"filters.length": {"query": {"min_words": 3}}}
Make = Callable[..., RunConfig]


@pytest.fixture
def config(small_taxonomy: tuple[Path, Path], tmp_path: Path) -> Make:
    """The configuration of a run over the small taxonomy, in a folder by name."""

    def make(count: int, folder: str = "run", **keys: Any) -> RunConfig:
        tasks, prompts = small_taxonomy
        base = {"output": tmp_path / folder, "llm.backend": "scripted", **FEW_WORDS}
        return load_config(
            environ={}, **{"tasks": tasks, "prompts": prompts, "count": count, **base, **keys}
        )

    return make


def unruly(prompt: Prompt) -> str:
    """Replies that stages drop, each for its own reason; the same for the same request."""
    kind = Random(prompt.draw + prompt.step).randrange(6)
    if kind == 0:
        return "no JSON"
    reply = json.loads(plausible(prompt))
    if "question" in reply and kind < 3:
        reply["question"] = "why" if kind == 1 else "which river runs through the old market"
    return json.dumps(reply)


def start(config: RunConfig, llm: ScriptedLLM | None = None) -> pipeline.Summary:
    """A run with an unruly model."""
    return pipeline.run(config, open_model=lambda: llm or ScriptedLLM(unruly, jitter=10))


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a run that its draws decide, markers too."""
    names = ("records.jsonl", "rejected.jsonl", "tasks.jsonl", "stats.json")
    stages = sorted((folder / "stages").glob("*"))
    return {
        path.name: path.read_bytes()
        for path in [folder / name for name in names] + stages
        if not path.name.startswith("describe")
    }


@pytest.mark.parametrize(
    "counts", [(40, 41), (40, 90), (1, 2, 90), (90, 40), (41, 40), (30, 80, 50)]
)
def test_a_run_in_steps_is_a_run_at_once(config: Make, counts: tuple[int, ...]) -> None:
    """Longer, shorter or both: every byte of every file, and the summary."""
    for count in counts:
        last = start(config(count))
    fresh = start(config(counts[-1], "fresh"))
    ours, theirs = files(last.folder), files(fresh.folder)
    usage = {"stats.json"}  # the journal of the longer run holds more answers
    assert {name for name in ours if ours[name] != theirs[name]} <= usage
    assert ours.keys() == theirs.keys()
    assert last.rejected == fresh.rejected
    assert {name.split("|")[1] for name in fresh.rejected} >= {"parse", "filter"}


def test_a_longer_run_does_the_new_draws_alone(
    config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It renders, parses and filters one draw for one draw more, and none for one less."""
    start(config(60))
    done: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            done[name] += 1
            return function(*arguments)

        return call

    monkeypatch.setattr(generation, "example_steps", counted("written", example_steps))
    monkeypatch.setattr(written, "apply", counted("filtered", apply))
    start(config(61))
    assert done["written"] == 1
    assert done["filtered"] <= 1
    done.clear()
    start(config(60))
    start(config(59))
    assert not done
    start(config(59, **{"filters.length": {"query": {"min_words": 2}}}))
    assert done.keys() == {"filtered"}
    start(config(59))
    done.clear()
    start(config(59, keep=20))
    assert not done


def test_more_draws_and_another_filter_at_once(config: Make) -> None:
    """The filter stage is done again, the writing is extended."""
    other = {"filters.length": {"query": {"min_words": 1}}}
    start(config(40))
    changed = start(config(70, **other))
    assert (
        files(changed.folder).items()
        >= {
            name: data
            for name, data in files(start(config(70, "fresh", **other)).folder).items()
            if name != "stats.json"
        }.items()
    )


@pytest.mark.parametrize("gone", ["generate", "filter", "dedupe"])
def test_files_that_a_killed_run_left_are_made_again(config: Make, gone: str) -> None:
    """A stage without its marker: whatever its files hold, they come out as they should."""
    summary = start(config(40))
    before = files(summary.folder)
    stages = summary.folder / "stages"
    (stages / f"{gone}.done.json").unlink()
    for path in stages.glob(f"{gone}.*"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    start(config(45))
    start(config(40))
    after = files(summary.folder)
    assert {name for name in before if before[name] != after[name]} <= {"stats.json"}


def test_a_failed_draw_is_put_right_in_its_place(config: Make) -> None:
    """After failures there is no marker; the next run has what a run without any would have."""

    class Flaky(ScriptedLLM):
        async def complete(self, prompt: Prompt) -> Completion:
            answer = await super().complete(prompt)
            if Random(prompt.key).random() < 0.2:
                raise RequestFailed("http_500", "the server had an error")
            return answer

    broken = start(config(40), Flaky(unruly))
    assert broken.generated.rejected_by("generate")
    healed = start(config(60))
    fresh = start(config(60, "fresh"))
    same = files(fresh.folder).items() - files(healed.folder).items()
    assert {name for name, _ in same} <= {"stats.json"}


def test_what_a_run_writes_is_what_its_journal_gives(config: Make) -> None:
    """Live and replayed: without its files a run makes them again, byte for byte, and asks nothing.

    The answers come back in draw order then, and came in quite another one.
    """
    live = start(config(90), ScriptedLLM(unruly, concurrency=32, jitter=40))
    before = files(live.folder)
    assert {b"parse", b"filter"} <= set(before["rejected.jsonl"].replace(b'"', b" ").split())
    for path in [*(live.folder / "stages").iterdir(), *live.folder.glob("*.jsonl")]:
        path.unlink()
    again = ScriptedLLM(unruly)
    replay = start(config(90), again)
    assert again.asked == []
    assert replay.rejected == live.rejected
    assert files(replay.folder) == before


class Dying(ScriptedLLM):
    """Cannot be used any more after so many answers."""

    def __init__(self, answers: int) -> None:
        super().__init__(unruly, concurrency=4, jitter=5)
        self.left = answers

    async def complete(self, prompt: Prompt) -> Completion:
        """An answer, or LLMError."""
        answer = await super().complete(prompt)
        self.left -= 1
        if self.left < 0:
            raise LLMError("gone", hint="start it again")
        return answer


@pytest.mark.parametrize("start_from", [0, 20])
def test_a_run_that_stopped_goes_on_behind_what_it_has_written(
    config: Make, monkeypatch: pytest.MonkeyPatch, start_from: int
) -> None:
    """Draws that were done are not rendered, parsed or filtered again; the files are the same."""
    if start_from:
        start(config(start_from))
    with pytest.raises(LLMError):
        start(config(120), Dying(90))
    done: Counter[str] = Counter()

    def counted(plan: Any, draw: Any, task: Any) -> Any:
        done["draws"] += 1
        return example_steps(plan, draw, task)

    monkeypatch.setattr(generation, "example_steps", counted)
    resumed = start(config(120))
    assert 20 <= done["draws"] <= 110 - start_from
    fresh, ours = files(start(config(120, "fresh")).folder), files(resumed.folder)
    assert ours.keys() == fresh.keys()
    assert {name for name in ours if ours[name] != fresh[name]} <= {"stats.json"}


def test_answers_that_were_taken_out_are_asked_for_again(config: Make) -> None:
    """What was written of them is not taken over: the files are those of the journal."""
    with pytest.raises(LLMError):
        start(config(120), Dying(90))
    journal = sqlite3.connect(config(120).output / "journal.sqlite")
    with journal:
        taken = journal.execute("DELETE FROM answers WHERE rowid BETWEEN 10 AND 19").rowcount
    journal.close()
    llm = ScriptedLLM(unruly)
    resumed = start(config(120), llm)
    whole = ScriptedLLM(unruly)
    fresh = start(config(120, "fresh"), whole)
    assert len(llm.asked) == len(whole.asked) - 90 + taken
    assert (resumed.folder / "records.jsonl").read_bytes() == (
        fresh.folder / "records.jsonl"
    ).read_bytes()
