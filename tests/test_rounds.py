"""`keep` with refinement: rounds of draws until so many records are left, the same however made."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from generator import measuring, miners, pipeline
from generator.cli.report import print_summary
from generator.config import RunConfig
from generator.llm.scripted import ScriptedLLM, plausible
from generator.plan import make_plan
from generator.recordfile import read_lines
from generator.records import Prompt, Record, Rejected
from generator.sampling import share_of
from generator.shares import targets
from generator.summary import Summary
from tests.cli.test_refining import Words
from tests.test_pipeline import config, contents, start

__all__ = ["config"]  # the fixture

REFINED = {
    "count": 1000, "keep": 30, "families": ["steps"], "languages": ["en"],
    "refine": {"encoder": "words", "top_k": 3, "max_behind": None, "lexical": 0},
    "filters.length": {"query": {"min_words": 3}}, "dedupe.near_threshold": None,
}  # fmt: skip
MINED = {"mine": {"encoder": "words", "negatives": 1, "percent": None}}


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> Words:
    """The encoder of every run here."""
    encoder = Words()
    for module in (measuring, miners):
        monkeypatch.setattr(module, "open_encoder", lambda *_, **__: encoder)
    return encoder


def towns(prompt: Prompt) -> str:
    """Questions of a kind that only some of find their passage.

    One in six is too short, one in four speaks of another town, and one in three names no house:
    as long as few passages are about its town, it finds its own.
    """
    reply = json.loads(plausible(prompt))
    number = zlib.crc32(prompt.draw.encode())
    house, town = f"house{number % 9973}", f"town{number % 7}"
    if "passage" in reply:
        reply["passage"] = f"in {town} the {house} has a garden and walls of stone"
    if "question" in reply:
        other = f"town{(number + 1) % 7}"
        asked = [f"who lives in {town} in {house}", f"who lives there in {town}"][number % 3 == 0]
        reply["question"] = f"is it far to {other} and {other}" if number % 4 == 1 else asked
        reply["question"] = "why" if number % 6 == 2 else reply["question"]
    return json.dumps(reply)


def begin(config: RunConfig) -> tuple[Summary, list[Prompt]]:
    return start(config, ScriptedLLM(towns))


def read(folder: Path) -> tuple[list[Record], list[Rejected]]:
    records = list(read_lines(Record, folder / "records.jsonl"))
    return records, list(read_lines(Rejected, folder / "rejected.jsonl"))


@pytest.mark.parametrize("mined", [{}, MINED])
def test_keep_is_what_refinement_leaves(
    config: Callable[..., RunConfig], mined: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exactly so many; what is over is rejected as such, and every draw is accounted for."""
    summary, asked = begin(config(**REFINED, **mined))
    records, rejected = read(summary.folder)
    assert (summary.kept, summary.short, len(records)) == (30, False, 30)
    assert len(records) + len(rejected) == summary.drawn
    assert summary.rejected.total() == len(rejected)
    assert len({prompt.key for prompt in asked}) == len(asked)
    reasons = Counter((item.stage, item.reason) for item in rejected)
    assert reasons["refine", "positive_not_found"] > 5
    assert reasons["keep", "over_keep"] == sum(item.stage == "keep" for item in rejected) > 0
    stats = json.loads((summary.folder / "stats.json").read_text())
    assert (stats["records"], stats["unaccounted"]) == (30, 0)
    print_summary(summary)
    total = next(line for line in capsys.readouterr().err.splitlines() if "total" in line)
    assert total.split()[-3] == "30"
    steps = [row["step"] for row in stats["yield"]]
    assert steps[-3:] == ["consistent", "asked for", "kept"]


def test_the_verdicts_are_those_of_one_refinement_of_all_draws(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """Drawn at once, as many draws end with the same records before the surplus goes."""
    summary, _ = begin(config(**REFINED))
    whole = {**REFINED, "keep": None, "count": summary.drawn, "output": tmp_path / "other"}
    begin(config(**whole))
    assert read(tmp_path / "other")[0][:30] == read(summary.folder)[0]


def test_the_pool_decides_and_grows(config: Callable[..., RunConfig], tmp_path: Path) -> None:
    """What a first round kept a later one may drop: this is what the rounds must bear."""
    few, many = (
        begin(config(**{**REFINED, "keep": None, "count": n, "output": tmp_path / str(n)}))[0]
        for n in (30, 200)
    )
    kept, lost = read(few.folder)[0], read(many.folder)[1]
    assert {record.id for record in kept} & {item.record.id for item in lost if item.record}


def test_again_nothing_is_asked_or_encoded(config: Callable[..., RunConfig], words: Words) -> None:
    """The same command is done at once, and says the same."""
    made = config(**REFINED, **MINED)
    first, _ = begin(made)
    before, words.encoded = contents(first.folder), 0
    stages = (first.folder / "stages").iterdir()
    written = {path: path.stat().st_mtime_ns for path in stages}
    again, asked = begin(made)
    assert (again, asked, words.encoded) == (first, [], 0)
    assert contents(first.folder) == before
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_no_text_is_encoded_twice(
    config: Callable[..., RunConfig], words: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a later round, and not by refinement after mining."""
    seen: Counter[tuple[str, str]] = Counter()
    encode = words.encode

    def counting(texts: Any, *, kind: Any, task: Any = None) -> Any:
        seen.update((kind, text) for text in texts)
        return encode(texts, kind=kind, task=task)

    monkeypatch.setattr(words, "encode", counting)
    begin(config(**REFINED, **MINED))
    assert max(seen.values()) == 1


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_at(number: int) -> Iterator[list[int]]:
    """Before a file is put in its place for the n-th time; the list ends with how often it was."""
    replaced, replace = [0], Path.replace

    def counted(self: Path, target: Path) -> Path:
        replaced[0] += 1
        if replaced[0] == number:
            raise Killed
        return replace(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", counted)
        yield replaced


def test_killed_anywhere_it_ends_with_the_same_files(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """At every seventh file of the run, and a few files further the second time."""
    small = {**REFINED, "keep": 12, **MINED}
    with killed_at(0) as replaced:
        whole, asked = begin(config(**small))
    assert replaced[0] > 30
    for number in range(1, replaced[0], 7):
        made = config(**{**small, "output": tmp_path / str(number) / "run"})
        again: list[Prompt] = []
        for file in (number, number % 5 + 2, 0):
            llm = ScriptedLLM(towns)
            with killed_at(file):
                try:
                    start(made, llm)
                except Killed:
                    assert file
            again += llm.asked
        assert contents(made.output) == contents(whole.folder)
        assert Counter(p.key for p in again) == Counter(p.key for p in asked)


def test_a_budget_stops_a_round_and_more_goes_on(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """What there is is refined; in the end the files are those of a run without a cap."""
    whole, _ = begin(config(**REFINED))
    other = tmp_path / "other" / "run"
    for tokens in (500, 2000):
        made = config(**{**REFINED, "output": other, "budget.max_tokens": tokens})
        stopped, _ = begin(made)
        assert stopped.stopped
        records, rejected = read(other)
        assert len(records) + len(rejected) == stopped.drawn
    begin(config(**{**REFINED, "output": other}))
    for name in ("records.jsonl", "rejected.jsonl"):
        assert (other / name).read_bytes() == (whole.folder / name).read_bytes()


def test_count_bounds_the_draws_and_more_of_it_goes_on(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """Too few draws end short, with all there is; then as if there had always been enough."""
    short, _ = begin(config(**{**REFINED, "count": 45}))
    assert (short.drawn, short.short) == (45, True)
    assert 0 < short.kept < 30
    begin(config(**REFINED))
    begin(config(**{**REFINED, "output": tmp_path / "other" / "run"}))
    assert contents(tmp_path / "run") == contents(tmp_path / "other" / "run")


def test_another_number_asks_only_for_what_is_new(
    config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """More, then as many as before: the files of the first time, and no request."""
    first, asked = begin(config(**REFINED))
    before = read(first.folder)
    more, new = begin(config(**{**REFINED, "keep": 50}))
    assert more.kept == 50
    assert not {prompt.key for prompt in asked} & {prompt.key for prompt in new}
    begin(config(**{**REFINED, "keep": 50, "output": tmp_path / "other" / "run"}))
    assert contents(tmp_path / "other" / "run") == contents(more.folder)
    again, new = begin(config(**REFINED))
    assert (new, read(again.folder)) == ([], before)


def test_looser_thresholds_keep_no_more_than_asked_for(config: Callable[..., RunConfig]) -> None:
    """`trine refine` on such a run: what is over `keep` stays out, and can come back."""
    first, _ = begin(config(**REFINED))
    loose = config(**{**REFINED, "refine": {**REFINED["refine"], "top_k": None}})  # type: ignore[dict-item]
    refined = pipeline.refine_run(loose)
    assert (refined.kept, len(read(first.folder)[0])) == (30, 30)
    assert refined.kept + refined.rejected.total() == refined.records
    strict = config(**{**REFINED, "refine": {**REFINED["refine"], "top_k": 1}})  # type: ignore[dict-item]
    assert pipeline.refine_run(strict).kept < 30


def test_shares_are_of_what_refinement_leaves(config: Callable[..., RunConfig]) -> None:
    """Each family has its part of `keep`, though one loses most of its records at the end."""
    made = config(**{**REFINED, "families": ["pairs", "steps"], "keep_shares": "family"})
    summary, _ = begin(made)
    records, rejected = read(summary.folder)
    found = Counter(share_of("family", r.family, r.language) for r in records)
    assert found == targets(make_plan(made)) == {"pairs": 15, "steps": 15}
    assert len(records) + len(rejected) == summary.drawn
    assert {(r.stage, r.reason) for r in rejected if r.stage == "keep"} == {("keep", "over_share")}
    before = contents(summary.folder)
    again, asked = begin(made)
    assert (again, asked, contents(summary.folder)) == (summary, [], before)
