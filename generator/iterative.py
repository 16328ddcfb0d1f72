"""Train, mine again with the model just trained, go on: rounds of the two, each resumable.

    records ─ mine (BM25) ─ train ─ model 1 ─ mine (model 1) ─ train ─ model 2 ─ …

As ANCE (Xiong et al. 2020) and RocketQA (Qu et al. 2020) have it, with the mining between the
trainings rather than beside them. Every round trains from the base, or `continues` the last model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from generator.config import apply_overrides, find_recipe
from generator.errors import ConfigError
from generator.families import Frozen
from generator.mineconfig import MineConfig
from generator.mining import Mined, Progress, mine_file
from generator.recordfile import records_in, write_whole
from generator.records import content_id
from generator.runs import file_hash
from generator.search.passages import passages_file
from generator.taxonomy import validation_problems
from generator.trainer.config import TrainConfig, section_config
from generator.training import begin
from generator.yamlfile import read_yaml

Report = Callable[[str], None]


class IterativeConfig(Frozen):
    """`mine` holds for every round, with `first` on top in the first one, which has no model.

    From the second on, `mine.encoder` is the last round's model, and so is the teacher unless one
    is named. `train` is as in a run: keys, and a `recipe` below them.
    """

    rounds: int = Field(default=2, gt=0)
    continues: bool = False
    mine: Mapping[str, Any] = {}
    first: Mapping[str, Any] = {}
    train: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Round:
    """One round: what was mined, and the model; `ndcg` is None without `train.eval`."""

    number: int
    negatives: int
    short: int
    teacher: str
    steps: int
    loss: float
    ndcg: float | None
    model: str


def load_iterative(recipe: str, overrides: tuple[str, ...], **train: Any) -> IterativeConfig:
    """The configuration of a recipe; `train` are keys of the training, None is unset.

    Raises ConfigError with every problem, those of rounds and training too.
    """
    raw = read_yaml(find_recipe(recipe)) or {}
    if not isinstance(raw, dict):
        raise ConfigError(f"{recipe}: not a mapping", hint="see recipes/iterative.yaml")
    flags = {key: value for key, value in train.items() if value is not None}
    raw["train"] = {**(raw.get("train") or {}), **flags}
    apply_overrides(raw, overrides, example="rounds=3")
    try:
        config = IterativeConfig.model_validate(raw)
        for number in range(1, config.rounds + 1):
            _mining(config, number, Path("model"))
    except ValidationError as exc:
        raise ConfigError(
            f"{recipe}: wrong configuration", hint="docs/mining.md",
            problems=tuple(validation_problems(exc, IterativeConfig)),
        ) from exc  # fmt: skip
    _training(config, Path(), None)
    return config


def iterate(
    source: Path,
    output: Path,
    config: IterativeConfig,
    *,
    report: Report = lambda _: None,
    progress: Progress | None = None,
) -> list[Round]:
    """All rounds in `output`, which holds `round-1/mined`, `round-1/training/model` and so on.

    A finished round is not done again while data and configuration stay. Raises UserError.
    """
    records = records_in(source)
    key, model, rounds = file_hash(records), None, []
    for number in range(1, config.rounds + 1):
        folder = output / f"round-{number}"
        mining, training = _mining(config, number, model), _training(config, folder, model)
        texts = file_hash(passages_file(mining.corpus)) if mining.corpus else ""
        key = content_id(key, texts, mining.model_dump_json(exclude={"encoder"}),
                         json.dumps(training.deciding()), version("trine"))  # fmt: skip
        done = _finished(folder, key)
        if done is None:
            report(f"round {number}: mining")
            mined = mine_file(records, folder / "mined", mining, progress=progress)
            report(f"round {number}: training")
            begin(training.output, key)
            done = _trained(number, folder, mined, training, report)
            with write_whole(folder / "round.json") as file:
                json.dump({"key": key, **asdict(done)}, file, indent=1)
        rounds.append(done)
        model = Path(done.model)
    return rounds


def _mining(config: IterativeConfig, number: int, model: Path | None) -> MineConfig:
    keys = {**config.mine, **(config.first if number == 1 else {})}
    if number > 1:
        keys["encoder"] = str(model)
    return MineConfig.model_validate(keys)


def _training(config: IterativeConfig, folder: Path, model: Path | None) -> TrainConfig:
    base = {"base": str(model)} if config.continues and model else {}
    return section_config({**config.train, **base, "output": folder / "training"})


def _trained(
    number: int, folder: Path, mined: Mined, training: TrainConfig, report: Report
) -> Round:
    from generator.trainer.loop import train  # noqa: PLC0415 - loads torch

    result = train([folder / "mined" / "records.jsonl"], training, report)
    assert result.model is not None  # noqa: S101 - this process is the first, and exports
    return Round(
        number, mined.decisions["negative"], mined.short, mined.teacher,
        result.steps, round(result.loss, 4),
        result.scores[-1][1] if result.scores else None, str(result.model),
    )  # fmt: skip


def _finished(folder: Path, key: str) -> Round | None:
    try:
        found = json.loads((folder / "round.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if found.pop("key", None) != key or not Path(found["model"]).is_dir():
        return None
    return Round(**found)
