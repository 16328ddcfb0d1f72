"""A run with a `train` section: from draws to a model that is scored, shown, and made once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trainer_worlds import make_folder

from generator import pipeline, training
from generator.cli.progress import ProgressLine
from generator.cli.trained import print_trained
from generator.config import RunConfig, load_config
from generator.errors import ConfigError
from generator.heldout import Example, Hit
from generator.llm.scripted import ScriptedLLM, plausible
from generator.models import open_encoder
from generator.progress import Silent
from generator.scores import FamilyScore
from generator.summary import Summary
from generator.training import Trained

TRAIN = {"batch_size": 4, "epochs": 2, "lora": None, "learning_rate": 3e-3, "dtype": "float32",
         "tokens": {"max_tokens": 24}, "save_steps": 3}  # fmt: skip
Make = Callable[..., RunConfig]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base model."""
    return make_folder(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture
def made(base: Path, small_taxonomy: tuple[Path, Path], tmp_path: Path) -> Make:
    """The configuration of a run that trains, with keys changed."""

    def make(**keys: Any) -> RunConfig:
        tasks, prompts = small_taxonomy
        own = {"count": 40, "output": tmp_path / "run", "llm.backend": "scripted",
               "dataset.test_fraction": 0.25, "train": {**TRAIN, "base": str(base)}}  # fmt: skip
        return load_config(environ={}, **{"tasks": tasks, "prompts": prompts, **own, **keys})

    return make


class Noted(Silent):
    """A watch that remembers."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.lines: list[str] = []

    def begin(self, stage: str, total: int | None) -> None:
        """Remember it."""
        del total
        self.stages.append(stage)

    def status(self, line: str) -> None:
        """Remember it."""
        self.lines.append(line)

    note = status


def run(config: RunConfig) -> tuple[Summary, Noted]:
    watch = Noted()
    summary = pipeline.run(config, watch=watch, open_model=lambda: ScriptedLLM(plausible))
    return summary, watch


def test_a_run_ends_with_a_model_that_is_scored_and_shown(made: Make) -> None:
    config = made()
    summary, watch = run(config)
    trained = summary.trained
    assert trained is not None
    assert watch.stages[-2:] == ["train", "search"]
    assert any(
        line.startswith("step") and "tok/s" in line and line.endswith(" left")
        for line in watch.lines
    )
    assert any(line.startswith("parity") for line in watch.lines)
    test = (config.output / "dataset" / "test.jsonl").read_text().splitlines()
    train = (config.output / "dataset" / "train.jsonl").read_text().splitlines()
    assert trained.questions == len(test) == sum(one.questions for one in trained.families)
    assert json.loads((config.output / "eval.json").read_text())["after"] == trained.after
    assert f"{len(train):,} rows" in (trained.model / "README.md").read_text()
    assert "before training" in (trained.model / "README.md").read_text()
    # The questions that are shown are of the test split; what is right is a positive of theirs.
    known = {row["query"]: row for row in map(json.loads, test)}
    assert len(trained.searches) == 3
    for example in trained.searches:
        right = {text["text"] for text in known[example.query]["positives"]}
        assert [hit.text in right for hit in example.hits] == [hit.right for hit in example.hits]
        scores = [hit.score for hit in example.hits]
        assert scores == sorted(scores, reverse=True)
    assert open_encoder(str(trained.model)).encode(["a"], kind="document").shape == (1, 32)
    # Nothing of the size of a model stays beside it.
    assert not (config.output / "training" / "checkpoints").exists()
    assert (config.output / "training" / "log.jsonl").is_file()


def test_the_same_command_again_does_nothing(made: Make) -> None:
    first, _ = run(made())
    before = {p: p.stat().st_mtime_ns for p in first.folder.rglob("*") if p.is_file()}
    second, watch = run(made())
    assert second == first
    assert watch.stages == []
    changed = {p.name for p in before if p.stat().st_mtime_ns != before[p]}
    assert changed <= {"run.yaml", "records.jsonl", "rejected.jsonl", "lock"}


def test_other_searches_train_nothing_and_other_settings_train_anew(made: Make) -> None:
    first, _ = run(made())
    other, watch = run(made(searches=["which river", "bread"]))
    assert watch.stages == ["search"]
    assert other.trained is not None
    assert [example.query for example in other.trained.searches] == ["which river", "bread"]
    assert not any(hit.right for example in other.trained.searches for hit in example.hits)
    third, watch = run(made(**{"train.epochs": 1}))
    assert watch.stages == ["train", "search"]
    assert third.trained is not None
    assert first.trained is not None
    assert third.trained.steps < first.trained.steps


def test_a_run_without_the_section_is_as_ever(made: Make) -> None:
    """With `train: null` nothing is trained, and the data set is the same, byte by byte."""
    trained, _ = run(made())
    data = {p.name: p.read_bytes() for p in (trained.folder / "dataset").rglob("*.jsonl")}
    card = (trained.folder / "dataset" / "README.md").read_bytes()
    plain, watch = run(made(train=None))
    assert (plain.trained, watch.stages) == (None, [])
    assert {p.name: p.read_bytes() for p in (plain.folder / "dataset").rglob("*.jsonl")} == data
    assert (plain.folder / "dataset" / "README.md").read_bytes() == card


def test_a_killed_training_goes_on_from_its_checkpoint(made: Make, tmp_path: Path) -> None:
    """The losses are those of a run that was never stopped."""
    whole, _ = run(made(output=tmp_path / "whole"))
    script = (
        "import os, signal, sys\n"
        "from generator import pipeline\n"
        "from generator.config import RunConfig\n"
        "from generator.llm.scripted import ScriptedLLM, plausible\n"
        "from generator.trainer import checkpoint\n"
        "save = checkpoint.save\n"
        "def kill(folder, name, *rest):\n"
        "    save(folder, name, *rest)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "checkpoint.save = kill\n"
        "config = RunConfig.model_validate_json(sys.argv[1])\n"
        "pipeline.run(config, open_model=lambda: ScriptedLLM(plausible))\n"
    )
    config = made()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, config.model_dump_json()], check=False, env=environment
    )
    assert done.returncode == -signal.SIGKILL
    assert not (config.output / "model").exists()
    ended, watch = run(config)
    assert "going on from step 3" in watch.lines
    assert ended.trained is not None
    assert whole.trained is not None
    assert ended.trained.loss == whole.trained.loss
    assert ended.trained.after == whole.trained.after


def test_a_wrong_section_is_told_before_anything_is_spent(made: Make, tmp_path: Path) -> None:
    llm = ScriptedLLM(plausible)
    for keys, words in (
        ({"train.batchsize": 3}, "batchsize"),
        ({"train.output": "x"}, "train.output"),
        ({"train": {"epochs": 1}}, "base"),
        ({"train.base": "./no-such-model"}, "train.base"),
        ({"train.base": "no-such.gguf"}, "train.base"),
    ):
        with pytest.raises(ConfigError) as caught:
            pipeline.run(made(**keys), open_model=lambda: llm)
        assert words in str(caught.value)
    assert llm.asked == []
    assert not (tmp_path / "run").exists()


def test_keys_go_on_top_of_a_named_recipe(tmp_path: Path) -> None:
    """Inner ones too, and from a recipe that names it in one word."""
    from generator.training import train_settings  # noqa: PLC0415

    path = tmp_path / "r.yaml"
    path.write_text("train: train-e5-mistral\n")
    config = load_config(str(path), ["train.tokens.max_tokens=64", "seed=7"], environ={})
    settings = train_settings(config)
    assert settings is not None
    assert (settings.tokens.max_tokens, settings.tokens.symmetric) == (64, "query")
    assert (settings.batch_size, settings.seed) == (2048, 7)
    assert settings.output == Path("outputs/r/training")
    config = load_config(str(path), ["train=null"], environ={})
    assert train_settings(config) is None


def test_scores_and_searches_are_told_whatever_the_texts_hold(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Brackets are no markup, a line break is none; a right passage further down has its rank."""
    example = Example("[/b] 京都の\n川は", (Hit(0.5, "鴨川 [1]", right=False),), rank=7)
    print_trained(Trained(tmp_path, 28, 0.31, 90.0, 40, 1357, 0.044, 0.2911, (example,)))
    told = capsys.readouterr().err
    assert "Search: [/b] 京都の 川は" in told
    assert "鴨川 [1]" in told
    assert "the right one has rank 7" in told
    assert "40 held-out questions against 1,357 passages: 0.044 before training, 0.291" in told
    assert "28 steps in 1.5 min" in told


def test_scores_of_families_are_told_where_there_are_several(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Beside the mean, which leaves out what nobody wrote."""
    families = (
        FamilyScore("grounded-question", written=True, questions=13, before=0.1, after=0.5),
        FamilyScore("sentence-passage", written=False, questions=4, before=0.7, after=0.9),
    )
    print_trained(Trained(tmp_path, 9, 0.3, 60.0, 13, 347, 0.1, 0.5, (), families))
    told = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert "grounded-question written 13 0.100 0.500" in told
    assert "sentence-passage of the documents 4 0.700 0.900" in told
    assert any(
        line.startswith("nDCG@10 of 13 held-out questions that were written against 347 passages")
        for line in told
    )


def test_scores_of_an_older_measure_are_taken_anew(
    made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finished run is scored once more where a score has come to mean something else."""
    run(made())
    monkeypatch.setattr(training, "_MEASURE", "another")
    _, watch = run(made())
    assert watch.stages == ["search"]


def test_a_passage_that_holds_the_sentence_is_no_wrong_answer(base: Path, tmp_path: Path) -> None:
    """Three records of a passage train on three forms of it; users search one, which is right."""
    trees = "alder birch cherry damson elder fir gorse hazel ivy juniper larch maple".split()
    sections = [
        f"## {tree}\n\n" + " ".join(
            f"The {tree}'s {part} by {tree} lane goes {where} with {tree} wood."
            for part, where in (("roof", "red"), ("floor", "below"), ("entrance", "south"))
        )
        for tree in trees
    ]  # fmt: skip
    (tmp_path / "bees.md").write_text("# Bees\n\n" + "\n\n".join(sections), encoding="utf-8")
    config = load_config(environ={}, **{
        "corpus": {"paths": str(tmp_path / "bees.md"), "min_tokens": 0, "per_passage": 3,
                   "near_threshold": None},
        "families": ["sentence-passage"], "count": 36, "output": tmp_path / "run",
        "llm.backend": "scripted", "dataset.test_fraction": 0.5, "dedupe.near_threshold": None,
        "train": {**TRAIN, "base": str(base), "tokens": {"max_tokens": 96}},
    })  # fmt: skip
    trained = run(config)[0].trained
    assert trained is not None
    lines = (config.output / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    passages = {f"{row['title']} {row['text']}" for row in map(json.loads, lines)}
    assert trained.passages == len(passages) == 12
    for example in trained.searches:
        assert {hit.text for hit in example.hits} <= passages
        assert [hit.right for hit in example.hits] == [
            example.query in h.text for h in example.hits
        ]
    assert [family.written for family in trained.families] == [False]


def test_the_status_of_a_stage_is_its_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as progress:
        progress.begin("train", None)
        progress.status("step 1/2")
        progress.status("step 2/2  loss 0.5")
    assert capsys.readouterr().err == "train  step 2/2  loss 0.5\n"


def test_a_terminal_sees_the_first_status_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search says what it encodes once, and then works for minutes."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressLine() as progress:
        progress.begin("search", None)
        progress.status("40 questions, 357 passages")
        assert "search  40 questions, 357 passages" in capsys.readouterr().err
