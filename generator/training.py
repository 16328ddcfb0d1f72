"""The last stages of a run that has a `train` section: an embedder out of its data set.

    dataset/train.jsonl ─ train ─ model/        dataset/test.jsonl ─ search ─ eval.json

`training/` holds the log and, until the model is there, the checkpoints that a killed run goes on
from; another data set or other settings begin anew.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.config import RunConfig
from generator.errors import ConfigError, LLMError, MissingExtra, RunError
from generator.llm.weights import find_weights
from generator.progress import Watch
from generator.recordfile import write_whole
from generator.records import content_id
from generator.runs import RunFolder, file_hash
from generator.scores import FamilyScore, family_scores, mean_scores, score_name
from generator.trainer.config import TrainConfig, section_config

if TYPE_CHECKING:
    from generator.heldout import Example
    from generator.trainer.embedder import Embedder

_PACKAGES = ("torch", "transformers", "safetensors", "gguf")
_WORK = ("checkpoints", "best", "cache")  # of no use once the model is there
_HELD_OUT = "\n## The run\n"
_MEASURE = "2"  # raise it where scores come to mean something else: finished runs are scored anew


@dataclass(frozen=True, slots=True)
class Trained:
    """An embedder, and nDCG@10 of `questions` held-out ones before training and after it.

    The scores are None where the run holds no question out. `families` has those of each family
    that was asked; which ones count: `scores.py`.
    """

    model: Path
    steps: int
    loss: float
    seconds: float
    questions: int
    passages: int
    before: float | None
    after: float | None
    searches: tuple[Example, ...]
    families: tuple[FamilyScore, ...] = ()


def train_settings(config: RunConfig) -> TrainConfig | None:
    """How a run trains, checked before anything is spent; None where it does not.

    Raises ConfigError with every problem, or where there is no such base here (one of the Hub is
    not asked for), MissingExtra where a package is missing.
    """
    if config.train is None:
        return None
    if "output" in config.train:
        raise ConfigError(
            "train.output: a run's model goes to its own folder", hint="-o names the run's folder"
        )
    found = section_config(config.train, seed=config.seed)
    tracker = () if found.tracker == "none" else ((found.tracker, "track"),)
    for package, extra in (*((name, "train") for name in _PACKAGES), *tracker):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, extra)
    try:
        find_weights(found.base)
    except LLMError as exc:
        raise ConfigError(f"train.base: {exc.message}", hint=exc.hint) from exc
    return found.model_copy(update={"output": config.output / "training"})


def train_run(run: RunFolder, config: RunConfig, settings: TrainConfig, watch: Watch) -> Trained:
    """Train on the run's train split, unless that is done; then score and search.

    Raises RunError without a data set, when training diverges, or where another tool's vectors
    differ from the exported model's.
    """
    if not (run.dataset / "train.jsonl").is_file():
        raise RunError(f"{run.path}: kept no record to train on", hint="raise count: -n")
    data = [file_hash(path) for path in sorted(run.dataset.glob("*.jsonl"))]
    key = content_id(*data, json.dumps(settings.deciding()), version("trine"))
    trained = _train(run, settings, key, watch)
    looked = _search(run, config, settings, content_id(key, _MEASURE, *config.searches), watch)
    return Trained(model=run.model, **trained, **looked)


def _train(run: RunFolder, settings: TrainConfig, key: str, watch: Watch) -> dict[str, Any]:
    done = run.finished("train", key)
    if done is not None and (run.model / "model.safetensors").is_file():
        return done
    from generator.trainer.loop import train  # noqa: PLC0415 - loads torch

    run.unfinish("train")
    begin(settings.output, key)
    watch.begin("train", None)

    def report(line: str) -> None:
        (watch.status if line.startswith("step") else watch.note)(line)

    result = train([run.dataset / "train.jsonl"], settings, report)
    assert result.model is not None  # noqa: S101 - this process is the first, and exports
    shutil.rmtree(run.model, ignore_errors=True)
    result.model.replace(run.model)
    counts = {"steps": result.steps, "loss": result.loss, "seconds": round(result.seconds, 1)}
    run.finish("train", key, counts)
    for name in _WORK:
        shutil.rmtree(settings.output / name, ignore_errors=True)
    return counts


def begin(folder: Path, key: str) -> None:
    """An empty folder for this training, or the one that it was stopped in."""
    place = folder / "key"
    if not (place.is_file() and place.read_text(encoding="utf-8") == key):
        shutil.rmtree(folder, ignore_errors=True)
        with write_whole(place) as file:
            file.write(key)


def _search(
    run: RunFolder, config: RunConfig, settings: TrainConfig, key: str, watch: Watch
) -> dict[str, Any]:
    from generator.heldout import Example, Hit, held_out  # noqa: PLC0415 - loads torch
    from generator.trainer.embedder import load_embedder  # noqa: PLC0415

    done = run.finished("search", key)
    if done is None:
        run.unfinish("search")
        watch.begin("search", None)
        held = held_out(run.dataset / "test.jsonl", run.records, run.passages)
        watch.status(f"{len(held.records):,} questions, {len(held.task.passages):,} passages")
        before = held.searched(_untrained(settings)).ndcg() if held.records else ()
        found = held.searched(load_embedder(run.model), config.searches)
        families = family_scores(held.records, before, found.ndcg())
        done = {
            **mean_scores(families), "passages": len(held.task.passages),
            "families": [asdict(family) for family in families],
            "searches": [asdict(example) for example in found.examples()],
        }  # fmt: skip
        with write_whole(run.path / "eval.json") as file:
            json.dump(done, file, ensure_ascii=False, indent=1)
        _tell_card(run, config, done)
        run.finish("search", key, done)
    searches = [Example(s["query"], tuple(Hit(**h) for h in s["hits"]), s["rank"])
                for s in done["searches"]]  # fmt: skip
    families = tuple(FamilyScore(**family) for family in done["families"])
    return {**done, "searches": tuple(searches), "families": families}


def _untrained(settings: TrainConfig) -> Embedder:
    """The base, with texts framed as in training."""
    from generator.trainer.decoder import Model  # noqa: PLC0415 - loads torch
    from generator.trainer.embedder import Embedder  # noqa: PLC0415
    from generator.trainer.session import device_of, open_base  # noqa: PLC0415
    from generator.trainer.tokens import tokens_of  # noqa: PLC0415

    base = open_base(settings, device_of(settings))
    model = Model(base.shape, pooling=settings.pooling, causal=not settings.bidirectional)
    tokens = tokens_of(base.tokenizer, settings.tokens)
    return Embedder(model, base.weights, tokens, prompts={}, template=settings.tokens.template)


def _tell_card(run: RunFolder, config: RunConfig, scores: dict[str, Any]) -> None:
    """Where the data came from, and the scores, at the end of the model's card."""
    place = run.model / "README.md"
    text, _, _ = place.read_text(encoding="utf-8").partition(_HELD_OUT)
    writers = ", ".join(f"`{Path(name).name}`" for name in config.llm.models)
    lines = [
        text.rstrip(),
        _HELD_OUT,
        f"Trained on the train split of the data set `{run.path.resolve().name}` (its texts by",
        f"{writers}; seed {config.seed}, licence: {config.dataset.license}).",
    ]
    if scores["questions"]:
        families = [FamilyScore(**family) for family in scores["families"]]
        rows = [(f"`{one.family}`", one.questions, one.before, one.after) for one in families]
        mean = (score_name(families), scores["questions"], scores["before"], scores["after"])
        lines += [
            f"nDCG@10 of questions of its test split, against {scores['passages']:,} passages:",
            "", "| | questions | before training | after |", "|---|---|---|---|",
            *(f"| {name} | {number:,} | {before:.4f} | {after:.4f} |"
              for name, number, before, after in (mean, *rows)),
        ]  # fmt: skip
    with write_whole(place) as file:
        file.write("\n".join(lines) + "\n")
